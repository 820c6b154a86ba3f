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
