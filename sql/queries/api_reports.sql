-- role: ccs_api
-- What became of the calls. Dates are local dates of the client, both ends inclusive. Totals come from the rollups, so that
-- they cost the same whatever was dialled; only attempts count (n > 0), as in the rollups. What is picked (in order) and what
-- is told about it are separate, as in api_lists.sql.

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

-- name: report_period
-- The days of a report, and how many they are; no dates: today, as above.
select p.first::text, p.last::text, (p.last - p.first + 1)::bigint
  from (select coalesce($1::text::date, $2::text::date, (now() at time zone $3::text)::date) as first,
               coalesce($2::text::date, (now() at time zone $3::text)::date) as last) p;

-- name: report
-- Attempts from day $2 to day $3, in groups: by $5 'server', 'did', 'batch', 'hour', 'disposition' or 'cause', the $6 with
-- the most calls (hours in their order). Columns: server_code, did, batch_id, date and hour, disposition,
-- cause, of which one is told; calls, completed, duration and billsec in ms, most calls in progress at a time; then these of
-- all groups together, and how many groups there are. Sums of servers and hours come from the rollup, which outlives the
-- details. A call is in progress from started_at until just before ended_at.
with range as (
    select $2::text::date::timestamp at time zone $4::text as from_at,
           ($3::text::date + 1)::timestamp at time zone $4 as to_at
), attempt as not materialized (
    select coalesce(case $5::text when 'server' then d.server_id::text
                                  when 'did' then d.did
                                  when 'batch' then d.queue_master_id::text
                                  when 'hour' then to_char(d.started_at at time zone $4, 'YYYY-MM-DD HH24')
                                  when 'disposition' then d.disposition::text
                                  else d.hangup_cause::text end, '') as grp,
           d.disposition = 'completed' as is_completed, d.started_at, d.ended_at, d.duration_ms, d.billsec_ms
      from call_detail d, range
     where d.client_id = $1::bigint and d.started_at >= range.from_at and d.started_at < range.to_at and d.n > 0
), sums as (
    select case $5 when 'server' then server_id::text else to_char(local_date, 'YYYY-MM-DD ') || lpad(local_hour::text, 2, '0') end
             as grp, sum(calls) as calls, sum(completed) as completed, sum(duration_ms) as duration_ms, sum(billsec_ms) as billsec_ms
      from rollup_hour
     where $5 in ('server', 'hour') and client_id = $1 and local_date between $2::date and $3::date
     group by 1
    union all
    select grp, count(*), count(*) filter (where is_completed), sum(duration_ms), sum(billsec_ms)
      from attempt
     where $5 not in ('server', 'hour')
     group by 1
), edge as (
    select grp, started_at as at, 1 as step from attempt where ended_at > started_at
    union all
    select grp, ended_at, -1 from attempt where ended_at > started_at
), live as (
    select grp, sum(step) over (partition by grp order by at, step rows unbounded preceding) as of_group,
           sum(step) over (order by at, step rows unbounded preceding) as of_all
      from edge
), peak as (
    select grp, max(of_group) as of_group, max(max(of_all)) over () as of_all from live group by grp
)
select s.server_code, case when $5 = 'did' then nullif(g.grp, '') end, q.batch_id,
       case when $5 = 'hour' then left(g.grp, 10) end, case when $5 = 'hour' then right(g.grp, 2)::bigint end,
       case when $5 = 'disposition' then g.grp end,
       case when $5 = 'cause' then nullif(g.grp, '')::bigint end,
       g.calls::bigint, g.completed::bigint, g.duration_ms::bigint, g.billsec_ms::bigint,
       coalesce(p.of_group, 0)::bigint,
       sum(g.calls) over ()::bigint, sum(g.completed) over ()::bigint, sum(g.duration_ms) over ()::bigint,
       sum(g.billsec_ms) over ()::bigint, coalesce(max(p.of_all) over (), 0)::bigint, count(*) over ()
  from sums g
  left join peak p using (grp)
  left join server s on $5 = 'server' and s.id = case when $5 = 'server' then g.grp::bigint end
  left join queue_master q on $5 = 'batch' and q.id = case when $5 = 'batch' then nullif(g.grp, '')::bigint end
 order by case when $5 = 'hour' then g.grp end, g.calls desc,
          case when $5 in ('server', 'batch', 'cause') then lpad(g.grp, 20, '0') end, g.grp
 limit $6::bigint;

-- name: details_total
-- How many attempts there are, or how many of them ended so.
select coalesce(sum(case $4::text when 'completed' then completed when 'busy' then busy when 'no_answer' then no_answer
                                  when 'rejected' then rejected when 'invalid' then invalid
                                  when 'congestion' then congestion when 'failed' then failed
                                  when 'canceled' then canceled when 'expired' then expired
                                  when 'suppressed' then suppressed when 'unknown' then unknown
                                  else calls end), 0)::bigint
  from rollup_hour
 where client_id = $1::bigint
   and local_date between coalesce($2::text::date, '-infinity') and coalesce($3::text::date, 'infinity');

-- name: details_pick
-- $6 attempts by the moment at which they began, behind $7 others, or ($9, $10, $11) behind that one; $8: the last ones first.
with range as (
    select greatest(coalesce($2::text::date::timestamp at time zone $4::text, '-infinity'),
                    case when not $8::boolean then $9::timestamptz end) as from_at,
           least(coalesce(($3::text::date + 1)::timestamp at time zone $4, 'infinity'),
                 case when $8 then $9 + interval '1 microsecond' end) as to_at
), fitting as not materialized (
    select d.started_at, d.entry_id, d.n
      from call_detail d, range
     where d.client_id = $1::bigint and d.started_at >= range.from_at and d.started_at < range.to_at and d.n > 0
       and ($5::text is null or d.disposition::text = $5)
       and ($9 is null
            or case when $8 then (d.started_at, d.entry_id, d.n) < ($9, $10::bigint, $11::bigint)
                    else (d.started_at, d.entry_id, d.n) > ($9, $10, $11) end)
), page as (
    (select * from fitting where not $8 order by started_at, entry_id, n limit $6::bigint offset $7::bigint)
    union all
    (select * from fitting where $8 order by started_at desc, entry_id desc, n desc limit $6 offset $7)
)
select entry_id, n::bigint from page;

-- name: details_pick_some
-- The same of one batch ($12, its own id), of one number ($13 in E.164, $14 as it is dialled), or of both: few enough to be
-- counted. The first column is how many there are; a page behind the end is one row with nothing else.
with range as (
    select coalesce($2::text::date::timestamp at time zone $4::text, '-infinity') as from_at,
           coalesce(($3::text::date + 1)::timestamp at time zone $4, 'infinity') as to_at
), found as materialized (
    select d.started_at, d.entry_id, d.n
      from call_detail d, range
     where d.client_id = $1::bigint and d.n > 0 and d.started_at >= range.from_at and d.started_at < range.to_at
       and ($5::text is null or d.disposition::text = $5)
       and ($12::bigint is null or d.queue_master_id = $12)
       and ($13::text is null or d.number in ($13, $14::text))
), page as (
    select row_number() over () as place, one.*
      from (select * from found
             where $9::timestamptz is null
                or case when $8::boolean then (started_at, entry_id, n) < ($9, $10::bigint, $11::bigint)
                        else (started_at, entry_id, n) > ($9, $10, $11) end
             order by case when not $8 then started_at end, case when $8 then started_at end desc,
                      case when $8 then -entry_id else entry_id end, case when $8 then -n else n end
             limit $6::bigint offset $7::bigint) one
)
select total.n, page.entry_id, page.n::bigint
  from (select count(*) as n from found) total left join page on true
 order by page.place;

-- name: details_load
-- What is told of these attempts, in their order. The columns are read by position: fcgi/detail_row.c.
select d.entry_id, d.n::bigint, q.batch_id, e.phone_number, s.server_code, d.did, d.disposition::text, d.is_final,
       d.hangup_cause::bigint, d.reason, d.estimated, d.started_at, d.answered_at, d.ended_at, d.duration_ms, d.billsec_ms,
       e.custom_data, e.e164, e.number_type::bigint, e.region, d.answered_by, d.result::text, d.opted_out,
       coalesce(d.attempts_left, 0)::bigint, r.due_at, d.recording
  from unnest($2::bigint[], $3::bigint[]) with ordinality as p (entry_id, n, place)
  join call_detail d on d.entry_id = p.entry_id and d.n = p.n
  join entry e on e.entry_id = p.entry_id
  left join server s on s.id = d.server_id
  left join queue_master q on q.id = d.queue_master_id
  left join retry r on r.entry_id = d.entry_id and not d.is_final
                       and not exists (select from attempt a where a.entry_id = d.entry_id and a.n > d.n)
 where d.client_id = $1::bigint
 order by p.place;

-- name: export_begin
-- An export holds a worker for as long as it takes: one at a time of a client, and $2 of all. Columns: has the client none,
-- is there a place. The locks are the connection's, so that they end with a worker that dies.
select pg_try_advisory_lock(hashtextextended('ccs.export of client ' || $1::bigint, 0)),
       exists (select from generate_series(1, $2::bigint) place
                where pg_try_advisory_lock(hashtextextended('ccs.export ' || place, 0))
                limit 1);

-- name: export_end
select pg_advisory_unlock_all();
