-- role: ccs_api
-- What became of the calls. Dates are local dates of the client, both ends inclusive. Totals come from the rollups, so that
-- they cost the same whatever was dialled; only attempts count (n > 0), as in the rollups.

-- name: summary_hours
-- By local hour: calls, milliseconds. No dates: today. A start alone runs until today, an end alone is that day.
select local_hour::bigint, sum(calls)::bigint, sum(duration_ms)::bigint
  from rollup_hour
 where client_id = $1::bigint
   and local_date between coalesce($2::text::date, $3::text::date, (now() at time zone $5::text)::date)
                      and coalesce($3::text::date, (now() at time zone $5::text)::date)
   and ($4::bigint is null or server_id = $4)
 group by local_hour;

-- name: summary_total
-- Calls, of these completed, milliseconds; the same parameters.
select coalesce(sum(calls), 0)::bigint, coalesce(sum(completed), 0)::bigint, coalesce(sum(duration_ms), 0)::bigint
  from rollup_hour
 where client_id = $1::bigint
   and local_date between coalesce($2::text::date, $3::text::date, (now() at time zone $5::text)::date)
                      and coalesce($3::text::date, (now() at time zone $5::text)::date)
   and ($4::bigint is null or server_id = $4);

-- name: details_page
-- One page of attempts, oldest first. Each row begins with how many there are in all; a page behind the end has one row of
-- nulls after that. A disposition has no rollup by day, so its total is counted, over an index.
with range as (
    select coalesce($2::text::date::timestamp at time zone $4::text, '-infinity') as from_at,
           coalesce(($3::text::date + 1)::timestamp at time zone $4::text, 'infinity') as to_at
), page as (
    select d.*
      from call_detail d, range
     where d.client_id = $1::bigint and d.started_at >= range.from_at and d.started_at < range.to_at and d.n > 0
       and ($5::text is null or d.disposition::text = $5)
     order by d.started_at, d.entry_id, d.n
     limit $6::bigint offset $7::bigint
), total as (
    select case when $5 is null
                then (select coalesce(sum(calls), 0) from rollup_hour
                       where client_id = $1 and local_date between coalesce($2::date, '-infinity')
                                                               and coalesce($3::date, 'infinity'))
                else (select count(*) from call_detail d, range
                       where d.client_id = $1 and d.started_at >= range.from_at and d.started_at < range.to_at
                         and d.n > 0 and d.disposition::text = $5)
           end::bigint as n
)
select total.n, page.entry_id, page.n::bigint, q.batch_id, e.phone_number, s.server_code, page.did,
       page.disposition::text, page.is_final, page.hangup_cause::bigint, page.reason, page.estimated, page.started_at,
       page.answered_at, page.ended_at, page.duration_ms, page.billsec_ms, e.custom_data, e.e164, e.number_type::bigint,
       e.region
  from total
  left join (page
             join entry e on e.entry_id = page.entry_id
             left join server s on s.id = page.server_id
             left join queue_master q on q.id = page.queue_master_id) on true
 order by page.started_at, page.entry_id, page.n;

-- name: details_after
-- The next $6 attempts behind attempt $9 of entry $8, which began at $7 (null: from the first on), for an export. The columns
-- are those of a page; nothing is counted.
with range as (
    select coalesce($2::text::date::timestamp at time zone $4::text, '-infinity') as from_at,
           coalesce(($3::text::date + 1)::timestamp at time zone $4::text, 'infinity') as to_at
), page as (
    select d.*
      from call_detail d, range
     where d.client_id = $1::bigint and d.started_at < range.to_at and d.n > 0
       and d.started_at >= greatest(range.from_at, $7::timestamptz)
       and (d.started_at, d.entry_id, d.n) > (coalesce($7, '-infinity'), $8::bigint, $9::bigint)
       and ($5::text is null or d.disposition::text = $5)
     order by d.started_at, d.entry_id, d.n
     limit $6::bigint
)
select 0::bigint, page.entry_id, page.n::bigint, q.batch_id, e.phone_number, s.server_code, page.did,
       page.disposition::text, page.is_final, page.hangup_cause::bigint, page.reason, page.estimated, page.started_at,
       page.answered_at, page.ended_at, page.duration_ms, page.billsec_ms, e.custom_data, e.e164, e.number_type::bigint,
       e.region
  from page
  join entry e on e.entry_id = page.entry_id
  left join server s on s.id = page.server_id
  left join queue_master q on q.id = page.queue_master_id
 order by page.started_at, page.entry_id, page.n;

-- name: details_of_batch_after
-- The same of the batch with id $10.
with range as (
    select coalesce($2::text::date::timestamp at time zone $4::text, '-infinity') as from_at,
           coalesce(($3::text::date + 1)::timestamp at time zone $4::text, 'infinity') as to_at
), page as (
    select d.*
      from call_detail d, range
     where d.queue_master_id = $10::bigint and d.client_id = $1::bigint and d.n > 0
       and d.started_at >= range.from_at and d.started_at < range.to_at
       and (d.started_at, d.entry_id, d.n) > (coalesce($7::timestamptz, '-infinity'), $8::bigint, $9::bigint)
       and ($5::text is null or d.disposition::text = $5)
     order by d.started_at, d.entry_id, d.n
     limit $6::bigint
)
select 0::bigint, page.entry_id, page.n::bigint, q.batch_id, e.phone_number, s.server_code, page.did,
       page.disposition::text, page.is_final, page.hangup_cause::bigint, page.reason, page.estimated, page.started_at,
       page.answered_at, page.ended_at, page.duration_ms, page.billsec_ms, e.custom_data, e.e164, e.number_type::bigint,
       e.region
  from page
  join entry e on e.entry_id = page.entry_id
  left join server s on s.id = page.server_id
  join queue_master q on q.id = page.queue_master_id
 order by page.started_at, page.entry_id, page.n;

-- name: details_of_batch
-- The same for one batch, by its own id; its rows are few enough to count.
with range as (
    select coalesce($2::text::date::timestamp at time zone $4::text, '-infinity') as from_at,
           coalesce(($3::text::date + 1)::timestamp at time zone $4::text, 'infinity') as to_at
), found as (
    select d.*, q.batch_id
      from queue_master q join call_detail d on d.queue_master_id = q.id, range
     where q.client_id = $1::bigint and q.id = $8::bigint and d.n > 0
       and d.started_at >= range.from_at and d.started_at < range.to_at
       and ($5::text is null or d.disposition::text = $5)
), page as (
    select * from found order by started_at, entry_id, n limit $6::bigint offset $7::bigint
)
select total.n, page.entry_id, page.n::bigint, page.batch_id, e.phone_number, s.server_code, page.did,
       page.disposition::text, page.is_final, page.hangup_cause::bigint, page.reason, page.estimated, page.started_at,
       page.answered_at, page.ended_at, page.duration_ms, page.billsec_ms, e.custom_data, e.e164, e.number_type::bigint,
       e.region
  from (select count(*) as n from found) total
  left join (page
             join entry e on e.entry_id = page.entry_id
             left join server s on s.id = page.server_id) on true
 order by page.started_at, page.entry_id, page.n;
