-- role: ccs_api ccs_owner
-- What explaining needs from PostgreSQL, read by position: registry/why.c. $1: the client; 0: whoever has it (ccsctl).

-- name: why_entry
-- One entry ($2), how it ended if it did, what of its client's day is used in its region, which do-not-call list it is on.
select e.client_id, q.id, q.batch_id, e.phone_number, e.number, coalesce(e.e164, ''), coalesce(e.number_type, 0)::bigint,
       coalesce(e.region, ''), k.created_at, k.dispatched_at is not null, q.paused_at, q.canceled_at,
       coalesce(a.n, 0)::bigint, d.disposition::text, d.reason, d.ended_at, cap.calls, coalesce(r.calls, 0)::bigint, day.ends_at,
       coalesce(e.did, k.did, q.settings ->> 'did') is not null
       and not exists (select from caller_id i
                        where i.client_id = e.client_id and i.did = coalesce(e.did, k.did, q.settings ->> 'did')),
       dnc_of(e.client_id, e.queue_master_id, coalesce(e.e164, ltrim(e.number, '+'))),
       coalesce((select string_agg((h.day - date '1970-01-01')::text, ' ') from holiday h
                  where h.region = e.region and h.day between (now() at time zone 'UTC')::date - 3
                                                          and (now() at time zone 'UTC')::date + 512), ''),
       coalesce((q.settings ->> 'channels')::bigint, 0), coalesce((q.settings ->> 'calls_per_second')::bigint, 0),
       batch_starts_at(q.settings), batch_expires_at(q.settings, q.created_at),
       (select w.due_at from retry w where w.entry_id = e.entry_id), context_missing(e.client_id, q.settings)
  from entry e
  join chunk k on k.id = e.entry_id / 1024
  join client c on c.id = e.client_id
  left join queue_master q on q.id = e.queue_master_id
  left join lateral (select max(n) as n from attempt where entry_id = e.entry_id) a on true
  left join call_detail d on d.entry_id = e.entry_id and d.is_final
 cross join lateral local_day(now(), c.timezone) day
  left join rollup_region r on r.client_id = e.client_id and r.local_date = day.day and r.region = e.region
  left join lateral (select split_part(item, ':', 2)::bigint as calls
                       from unnest(c.daily_caps) as item
                      where split_part(item, ':', 1) in (e.region, 'other')
                      order by split_part(item, ':', 1) = 'other'
                      limit 1) cap on true
 where e.entry_id = $2::bigint and ($1::bigint = 0 or e.client_id = $1);

-- name: why_batch
-- One batch ($2: its queue_id), how many of its entries have no end yet, and of these, how many wait to be called again, the
-- first of them when.
select m.client_id, m.batch_id, m.created_at, m.dispatched_at is not null, m.paused_at, m.canceled_at, m.finished_at,
       (m.inserted_count + m.appended_count)::bigint,
       (m.inserted_count + m.appended_count - coalesce((select sum(entries) from rollup_batch where queue_master_id = m.id), 0))::bigint,
       coalesce((m.settings ->> 'channels')::bigint, 0), coalesce((m.settings ->> 'calls_per_second')::bigint, 0),
       batch_starts_at(m.settings), batch_expires_at(m.settings, m.created_at),
       coalesce((select entries from rollup_retry where queue_master_id = m.id), 0)::bigint,
       (select min(due_at) from retry where client_id = m.client_id and queue_master_id = m.id),
       context_missing(m.client_id, m.settings)
  from queue_master m
 where m.id = $2::bigint and ($1::bigint = 0 or m.client_id = $1);

-- name: why_of_accountcode
-- role: ccs_owner
-- A client, and with $2 the queue_id of its batch of that batch_id (null: it has none).
select c.id, (select coalesce(m.part_of, m.id) from queue_master m where m.client_id = c.id and m.batch_id = $2::bigint)
  from client c
 where c.accountcode = $1::text;
