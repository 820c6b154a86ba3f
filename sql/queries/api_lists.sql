-- role: ccs_api
-- Batches and their entries, page by page. What is picked (ids, in order) and what is told about it (*_load, by id) are
-- separate, because a page, a filter and a single one tell the same. Totals come from counters.

-- name: queue_masters_pick
-- role: ccs_api ccs_owner
-- One page of a client's batches, and how many there are; a page behind the end is one row without an id. A batch is
-- pending until it is dispatched, then active, then finished.
with range as (
    select coalesce($2::text::date::timestamp at time zone $4::text, '-infinity') as from_at,
           coalesce(($3::text::date + 1)::timestamp at time zone $4::text, 'infinity') as to_at
), fitting as not materialized (
    select m.id
      from queue_master m, range
     where m.client_id = $1::bigint and m.part_of is null
       and m.created_at >= range.from_at and m.created_at < range.to_at
       and case $5::text when 'pending' then m.finished_at is null and m.dispatched_at is null
                         when 'active' then m.finished_at is null and m.dispatched_at is not null
                         when 'finished' then m.finished_at is not null
                         else true end
), page as (
    (select id from fitting where not $8::boolean order by id limit $6::bigint offset $7::bigint)
    union all
    (select id from fitting where $8 order by id desc limit $6 offset $7)
), open as (
    select count(*) filter (where m.dispatched_at is null) as pending,
           count(*) filter (where m.dispatched_at is not null) as active
      from queue_master m, range
     where m.client_id = $1 and m.finished_at is null and m.created_at >= range.from_at and m.created_at < range.to_at
), everything as (
    select coalesce(sum(batches), 0)::bigint as n
      from rollup_queue
     where client_id = $1 and local_date between coalesce($2::date, '-infinity') and coalesce($3::date, 'infinity')
)
select case $5 when 'pending' then pending when 'active' then active when 'finished' then n - pending - active else n end,
       page.id
  from open cross join everything left join page on true;

-- name: queue_master_find
-- role: ccs_api ccs_owner
-- The batch of this batch_id, or the one that it was added to; with $3 also the one whose own id it is, which then comes
-- first.
select coalesce(part_of, id) from queue_master
 where client_id = $1::bigint and (batch_id = $2::bigint or $3::boolean and id = $2)
 order by $3 and id = $2 desc
 limit 1;

-- name: queue_masters_load
-- role: ccs_api ccs_owner
-- By id. The columns are read by position: fcgi/queue_row.c; the last ones are those of enum disposition, in its order.
select m.id, m.batch_id, (m.inserted_count + m.appended_count)::bigint, m.rejected_count::bigint, m.created_at, m.dispatched_at, m.finished_at,
       m.paused_at, m.canceled_at, m.settings::text, m.settings_version,
       coalesce((select entries from rollup_retry where queue_master_id = m.id), 0)::bigint, r.*
  from queue_master m
 cross join lateral (
    select coalesce(sum(entries) filter (where disposition = 'completed'), 0)::bigint as completed,
           coalesce(sum(entries) filter (where disposition = 'busy'), 0)::bigint as busy,
           coalesce(sum(entries) filter (where disposition = 'no_answer'), 0)::bigint as no_answer,
           coalesce(sum(entries) filter (where disposition = 'rejected'), 0)::bigint as rejected,
           coalesce(sum(entries) filter (where disposition = 'invalid'), 0)::bigint as invalid,
           coalesce(sum(entries) filter (where disposition = 'congestion'), 0)::bigint as congestion,
           coalesce(sum(entries) filter (where disposition = 'failed'), 0)::bigint as failed,
           coalesce(sum(entries) filter (where disposition = 'canceled'), 0)::bigint as canceled,
           coalesce(sum(entries) filter (where disposition = 'expired'), 0)::bigint as expired,
           coalesce(sum(entries) filter (where disposition = 'suppressed'), 0)::bigint as suppressed,
           coalesce(sum(entries) filter (where disposition = 'unknown'), 0)::bigint as unknown
      from rollup_batch
     where queue_master_id = m.id) r
 where m.client_id = $1::bigint and m.id = any ($2::bigint[])
 order by m.id;

-- name: entries_pick
-- $3 entries of a batch behind the first $4, in the order in which they came in. Entries fill their chunks without a gap,
-- so that page 1,000 costs as much as the first.
with part as (
    select id, entry_count, sum(entry_count) over (order by id) - entry_count as before
      from chunk
     where client_id = $1::bigint and queue_master_id = $2::bigint
)
select part.id * 1024 + k
  from part
 cross join generate_series(greatest($4::bigint - before, 0)::bigint,
                            least($4 + $3::bigint - before, entry_count)::bigint - 1) as k
 where before < $4 + $3 and before + entry_count > $4
 order by 1;

-- name: entries_find
-- The same for entries in one state, or with one number ($4 in E.164, $5 as it is dialled). $6 and $7: what the
-- segment knows of live calls, entry by entry. The first column counts only when a number is asked for: such a count is a
-- look at the whole batch.
with state as not materialized (
    select c.id as chunk_id, e.entry_id
      from chunk c
      join entry e on e.entry_id between c.id * 1024 and c.id * 1024 + 1023
      left join call_detail d on d.entry_id = e.entry_id and d.is_final
      left join unnest($6::bigint[], $7::text[]) as live (entry_id, state) on live.entry_id = e.entry_id
     where c.client_id = $1::bigint and c.queue_master_id = $2::bigint
       and ($3::text is null
            or $3 = coalesce(d.disposition::text, live.state,
                             case when c.dispatched_at is null then 'pending'
                                  when exists (select from retry w where w.entry_id = e.entry_id) then 'retry_wait'
                                  else 'queued' end))
       and ($4::text is null or coalesce(e.e164, e.number) in ($4, $5::text))
), page as (
    (select entry_id from state where not $10::boolean order by chunk_id, entry_id limit $8::bigint offset $9::bigint)
    union all
    (select entry_id from state where $10 order by chunk_id desc, entry_id desc limit $8 offset $9)
)
select total.n, page.entry_id
  from (select case when $4 is not null then (select count(*) from state) end as n) total
  left join page on true;

-- name: entries_export
-- The entries of a batch in its next $4 chunks behind chunk $3, in the order in which they came in; $5: of one state, $6 and $7 as in
-- entries_find. Columns: the last of these chunks (null: there are no more), the entry or null.
with part as materialized (
    select id, dispatched_at from chunk
     where client_id = $1::bigint and queue_master_id = $2::bigint and id > $3::bigint
     order by id
     limit $4::bigint
), fitting as (
    select e.entry_id
      from part c
      join entry e on e.entry_id between c.id * 1024 and c.id * 1024 + 1023
      left join call_detail d on d.entry_id = e.entry_id and d.is_final
      left join unnest($6::bigint[], $7::text[]) as live (entry_id, state) on live.entry_id = e.entry_id
     where $5::text is null
        or $5 = coalesce(d.disposition::text, live.state,
                         case when c.dispatched_at is null then 'pending'
                              when exists (select from retry w where w.entry_id = e.entry_id) then 'retry_wait'
                              else 'queued' end)
)
select last.id, fitting.entry_id
  from (select max(id) as id from part) last left join fitting on true
 order by fitting.entry_id;

-- name: entries_load
-- By id; $3: the attempt whose outcome is told, 0 = the last one; how the entry has ended, if it has. The columns are read by position: fcgi/entry_row.c.
select e.entry_id, q.id, q.batch_id, e.phone_number, e.custom_data, c.created_at, c.dispatched_at is not null,
       coalesce(a.n, 0)::bigint, d.n::bigint, s.server_code, d.did, d.disposition::text, d.is_final,
       d.hangup_cause::bigint, d.reason, d.estimated, d.started_at, d.answered_at, d.ended_at, d.duration_ms, d.billsec_ms,
       q.paused_at is not null, q.canceled_at is not null, e.e164, e.number_type::bigint, e.region, d.answered_by, d.result::text,
       coalesce(d.opted_out, false), d.attempts_left::bigint, r.due_at, f.disposition::text, d.recording
  from entry e
  join chunk c on c.id = e.entry_id / 1024
  left join queue_master q on q.id = e.queue_master_id
  left join lateral (select max(n) as n from attempt where entry_id = e.entry_id) a on true
  left join lateral (select * from call_detail
                      where entry_id = e.entry_id and ($3::bigint = 0 or n in (0, $3))
                      order by $3 = 0 and is_final desc, n desc limit 1) d on true
  left join call_detail f on f.entry_id = e.entry_id and f.is_final
  left join server s on s.id = d.server_id
  left join retry r on r.entry_id = e.entry_id
 where e.client_id = $1::bigint and e.entry_id = any ($2::bigint[])
 order by e.entry_id;

-- name: dialplan_call
-- What the segment does not hold of a call that is live.
select c.accountcode, e.custom_data
  from entry e join client c on c.id = e.client_id
 where e.client_id = $1::bigint and e.entry_id = $2::bigint;
