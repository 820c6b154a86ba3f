-- What ccs-courier reads and keeps. Columns are read by position: courier/{hook,feed}.c.
-- role: ccs_courier

-- name: courier_lock
-- Only who has this session's lock delivers; it ends with the session. Who has it already gets it again.
select case when exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()
                            and classid = hashtext('ccs.courier')::oid and objid = 0 and granted)
            then true else pg_try_advisory_lock(hashtext('ccs.courier'), 0) end;

-- name: webhook_load
-- Each client with a receiver: position, address, the secrets that are good, when the next retry is due.
select w.client_id, w.seq, c.accountcode, c.callbackurl, present.sealed, other.sealed,
       (select min(r.due_at) from webhook_retry r where r.client_id = w.client_id and r.dead_at is null)
  from webhook w
  join client c on c.id = w.client_id
  left join webhook_secret present on present.client_id = w.client_id and present.expires_at is null
  left join lateral (select s.sealed from webhook_secret s
                      where s.client_id = w.client_id and s.expires_at > now()
                      order by s.id desc limit 1) other on true
 where w.disabled_at is null and c.callbackurl is not null;

-- name: webhook_fetch
-- Events of these clients behind these positions, at most so many of each, in order. The last column: one of its call stands in
-- webhook_retry, and this one has to wait behind it.
select c.client_id, e.seq, e.type, e.occurred_at, coalesce(e.entry_id, 0), e.payload, t.custom_data,
       exists (select from webhook_retry r
                where r.client_id = c.client_id and r.entry_id = e.entry_id and r.seq < e.seq and r.dead_at is null)
  from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as c (client_id, after, room)
  join client_seq s on s.client_id = c.client_id and s.seq > c.after
 cross join lateral (select * from event v where v.client_id = c.client_id and v.seq > c.after order by v.seq limit c.room) e
  left join entry t on t.entry_id = e.entry_id
 order by c.client_id, e.seq;

-- name: webhook_retries
-- What is due of these clients, $2 of each, never one whose call has an earlier one.
select c.client_id, r.seq, r.attempts::bigint, r.first_at, coalesce(r.entry_id, 0), e.type, e.occurred_at, e.payload, t.custom_data
  from unnest($1::bigint[]) as c (client_id)
 cross join lateral (
       select * from webhook_retry d
        where d.client_id = c.client_id and d.dead_at is null and d.due_at <= now()
          and not exists (select from webhook_retry b
                           where b.client_id = d.client_id and b.entry_id = d.entry_id and b.seq < d.seq and b.dead_at is null)
        order by d.due_at, d.seq limit $2::bigint) r
  left join event e on e.client_id = r.client_id and e.seq = r.seq
  left join entry t on t.entry_id = r.entry_id;

-- name: webhook_next_retry
select c.client_id, (select min(r.due_at) from webhook_retry r
                      where r.client_id = c.client_id and r.dead_at is null and r.due_at > now())
  from unnest($1::bigint[]) as c (client_id);

-- name: webhook_advance
update webhook w set seq = c.seq
  from unnest($1::bigint[], $2::bigint[]) as c (client_id, seq)
 where w.client_id = c.client_id and w.seq < c.seq;

-- name: webhook_put_off
-- What is sent later ($5), or no more ($7).
insert into webhook_retry as r (client_id, seq, entry_id, attempts, due_at, first_at, dead_at, status, error)
select p.client_id, p.seq, p.entry_id, p.attempts, p.due_at, p.first_at, case when p.is_dead then now() end, p.status, p.error
  from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::boolean[],
              $8::bigint[], $9::text[])
        as p (client_id, seq, entry_id, attempts, due_at, first_at, is_dead, status, error)
  join webhook w on w.client_id = p.client_id
on conflict (client_id, seq) do update
   set attempts = excluded.attempts, due_at = excluded.due_at, dead_at = excluded.dead_at, status = excluded.status,
       error = excluded.error;

-- name: webhook_arrived
delete from webhook_retry r using unnest($1::bigint[], $2::bigint[]) as p (client_id, seq)
 where r.client_id = p.client_id and r.seq = p.seq;

-- name: webhook_log
insert into webhook_delivery (client_id, seq, attempt, at, ms, status, outcome, error)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::text[], $8::text[]);

-- name: webhook_disable
update webhook set disabled_at = now(), disabled_why = $2::text where client_id = $1::bigint;

-- name: webhook_clean
-- Old rows of the log, a piece at a time.
delete from webhook_delivery
 where id in (select id from webhook_delivery where at < now() - $1::bigint * interval '1 day' limit 20000);

-- name: client_database_load
-- Clients with a database of their own: position, sealed addresses.
select d.client_id, d.seq, c.accountcode, c.asyncdatabaseurl, c.syncdatabaseurl
  from client_database d
  join client c on c.id = d.client_id
 where c.asyncdatabaseurl is not null or c.syncdatabaseurl is not null;

-- name: client_database_fetch
-- The next $3 events of these clients behind these positions: the last one's seq, how many of them are ends of calls, and these as
-- the elements of a JSON array.
select c.client_id, l.last, l.calls, coalesce(l.elements, '')
  from unnest($1::bigint[], $2::bigint[]) as c (client_id, after)
  join client_seq s on s.client_id = c.client_id and s.seq > c.after
 cross join lateral (
       select max(e.seq) as last, count(*) filter (where e.type in ('call_ended', 'call_failed')) as calls,
              string_agg('{"event_id":"' || e.client_id || '-' || e.seq || '","seq":' || e.seq || ',"custom_data":'
                         || coalesce(t.custom_data, 'null') || ',' || substr(e.payload, 2), ',' order by e.seq)
                  filter (where e.type in ('call_ended', 'call_failed')) as elements
         from (select * from event v where v.client_id = c.client_id and v.seq > c.after order by v.seq limit $3::bigint) e
         left join entry t on t.entry_id = e.entry_id) l
 where l.last is not null;

-- name: client_database_advance
-- From position $4 to $2. A replay that has set it back meanwhile stays.
update client_database set seq = $2::bigint, calls = calls + $3::bigint, stored_at = now(), error = null, error_at = null
 where client_id = $1::bigint and seq = $4::bigint;

-- name: client_database_fail
update client_database set error = $2::text, error_at = now() where client_id = $1::bigint;
