-- The log of events, read by seq.

-- name: events_after
-- role: ccs_api
-- Events of client $1 after seq $2, of the types $3 (separated by commas; null: all), of batch $4, on server $5, to number $6 (as
-- it was sent), at most $7, found among the next $8. At least one row; the columns that tell of the whole come first: the client's
-- last seq, the first that was looked at, the last, how many; then the event, null when none fits: seq, the seq of the one that
-- this reader would have had before it, type, moment, payload, custom data.
with looked as materialized (
    select seq, type, occurred_at, entry_id, payload
      from event
     where client_id = $1::bigint and seq > $2::bigint
     order by seq
     limit $8::bigint
), span as (
    select coalesce((select s.seq from client_seq s where s.client_id = $1), 0) as newest,
           min(seq) as first, max(seq) as last, count(*) as n
      from looked
), fitting as (
    select l.*
      from looked l
     where ($3::text is null or l.type = any (string_to_array($3, ',')))
       and ($4::bigint is null or (l.payload::jsonb ->> 'batch_id')::bigint = $4)
       and ($5::text is null or l.payload::jsonb ->> 'server_code' = $5)
       and ($6::text is null or l.payload::jsonb ->> 'phone_number' = $6)
     order by l.seq
     limit $7::bigint
)
select s.newest, s.first, s.last, s.n,
       f.seq, coalesce(lag(f.seq) over (order by f.seq), s.first - 1), f.type, f.occurred_at, f.payload, e.custom_data
  from span s left join fitting f on true left join entry e on e.entry_id = f.entry_id
 order by f.seq;

-- name: events_retire
-- role: ccs_dispatcher
-- Drops what is older than $1 days, whole weeks; how many of these.
select dropped from events_retire($1::bigint);

-- name: events_last
-- role: ccs_owner
-- The last $3 events of client $1 (its accountcode), or of all, of the types $2 (separated by commas; null: all), the oldest
-- first: client, seq, type, moment, payload.
select * from (
    select e.client_id, e.seq, e.type, e.occurred_at, e.payload
      from client c
     cross join lateral (select * from event v
                          where v.client_id = c.id and ($2::text is null or v.type = any (string_to_array($2, ',')))
                          order by v.seq desc limit $3::bigint) e
     where $1::text is null or c.accountcode = $1
     order by e.occurred_at desc, e.client_id, e.seq desc
     limit $3
) last
 order by occurred_at, client_id, seq;

-- name: trace_entry
-- role: ccs_owner
select c.accountcode, q.batch_id, e.phone_number, e.number
  from entry e join client c on c.id = e.client_id left join queue_master q on q.id = e.queue_master_id
 where e.entry_id = $1::bigint;

-- name: trace_steps
-- role: ccs_owner
-- What is stored of entry $1, in order of time: moment, which table says so, attempt (0: the entry as a whole), what.
select at, source, n::bigint, what from (
    select k.created_at as at, 'entry' as source, 0 as n, 1 as place, format('stored in chunk %s', k.id) as what
      from chunk k where k.id = $1::bigint / 1024
    union all
    select k.dispatched_at, 'entry', 0, 2, 'may be dialled' from chunk k where k.id = $1 / 1024 and k.dispatched_at is not null
    union all
    select a.armed_at, 'journal', a.n, 3, format('attempt on %s, showing %s, by node %s in life %s', coalesce(s.server_code, '?'),
                                                 coalesce(nullif(a.did, ''), 'no number'), a.node, a.epoch)
      from attempt a left join server s on s.id = a.server_id where a.entry_id = $1
    union all
    select d.started_at, 'detail', d.n, 4, 'dialled' from call_detail d where d.entry_id = $1 and d.n > 0
    union all
    select v.occurred_at, 'event', v.n, 5, format('%s, seq %s', v.type, v.seq) from event v where v.entry_id = $1
    union all
    select d.answered_at, 'detail', d.n, 6, 'answered' from call_detail d where d.entry_id = $1 and d.answered_at is not null
    union all
    select d.ended_at, 'detail', d.n, 7,
           format('%s%s: %s%s%s', d.disposition, case when d.is_final then '' else ', to be tried again' end, d.reason,
                  coalesce(', Q.850 cause ' || d.hangup_cause, ''), case when d.estimated then ', the end was not seen' else '' end)
      from call_detail d where d.entry_id = $1
    union all
    select w.at, 'webhook', v.n, 8,
           format('%s, seq %s, try %s: %s in %s ms%s', w.outcome, w.seq, w.attempt, coalesce(w.status::text, 'no answer'), w.ms,
                  coalesce(', ' || w.error, ''))
      from event v join webhook_delivery w on w.client_id = v.client_id and w.seq = v.seq where v.entry_id = $1
) steps
 order by at, place, n;
