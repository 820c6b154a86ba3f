-- role: ccs_dispatcher
-- What the dispatcher asks and writes. Everything in its commit stream may be run again after a lost connection without
-- changing the result: see dispatcher/journal.c.

-- name: node_fence
-- One session of a node commits at a time: returns when the one before has ended, which may still be committing what it had
-- been sent. What is in no table then will never be. A session whose client is gone with its machine ends within 25 s.
-- Its statements are planned once: PostgreSQL would plan the journal's anew each time, for longer than it takes to run it.
select set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),
       set_config('tcp_keepalives_count', '3', false), set_config('plan_cache_mode', 'force_generic_plan', false),
       pg_advisory_lock(hashtextextended('ccs node ' || $1::text, 0));

-- name: node_start
insert into node (name, epoch) values ($1::text, 1)
on conflict (name) do update set epoch = node.epoch + 1, started_at = now()
returning epoch;

-- name: node_adopt_chunks
-- What an earlier life of this node owned goes on under the new epoch.
update chunk set owner_epoch = (select epoch from node where name = $1::text)
 where owner_node = $1::text and closed_at is null and not rests;

-- name: directory_clients
select * from client_facts order by id;

-- name: directory_days
-- The local day of each client at $1: when it ends, the client's caps, and the calls begun on it by region of the number. A
-- client that has not called has one row without a region.
select c.id, d.ends_at, coalesce(array_to_string(c.daily_caps, ' '), ''), coalesce(r.region, ''), coalesce(r.calls, 0)
  from client c
 cross join lateral local_day($1::timestamptz, c.timezone) d
  left join rollup_region r on r.client_id = c.id and r.local_date = d.day
 order by c.id;

-- name: directory_holidays
-- Days without calls of regions, as client_facts has them.
select region, string_agg((day - date '1970-01-01')::text, ' ' order by day)
  from holiday
 where region is not null and day between (now() at time zone 'UTC')::date - 3 and (now() at time zone 'UTC')::date + 512
 group by region
 order by region;

-- name: directory_halts
-- Whose dialling an operator has stopped; 0: everybody's.
select coalesce(client_id, 0) from halt;

-- name: directory_retry_rules
-- Of the clients that have any: what is called again (shm/redial.h), and how often a number is called on a day at most.
select id, coalesce(array_to_string(retry, ' '), ''), coalesce(attempts_per_number_per_day, 0)
  from client
 where retry is not null or attempts_per_number_per_day is not null
 order by id;

-- name: directory_answering
-- What is done with the answered calls of clients where something is: is each recorded, is it found out who answers,
-- which contexts may their batches ask for?
select id, record, amd, allowed_contexts from client where record or amd or allowed_contexts is not null;

-- name: directory_users
-- Each user as often as it has had sessions that ended while tokens of them may still be good, the latest first; seventeen
-- tell that there were more than a row of the directory holds. Last column: the youngest of all that ended.
-- Administrators are in no directory: each of their requests asks PostgreSQL.
select u.id, u.client_id, u.session_version, coalesce(s.id, 0), s.ended_at, s.youngest_id
  from app_user u
  left join lateral (select e.id, e.ended_at, max(e.id) over () as youngest_id from user_session e
                      where e.user_id = u.id and e.ended_at > now() - interval '2 hours'
                      order by e.ended_at desc
                      limit 17) s on true
 where u.client_id is not null
 order by u.id, s.ended_at desc;

-- name: directory_keys
-- And certificates, which are keys without an id.
select id, client_id, digest, expires_at, array_to_string(scopes, ' '), array_to_string(networks, ' ')
  from api_key
 where client_id is not null and revoked_at is null and (expires_at is null or expires_at > now())
union all
select 0, client_id, fingerprint, not_after, 'read dial admin', ''
  from client_certificate
 where not_after > now()
 order by id;

-- name: directory_servers
select id, server_code, host, port, ami_user, ami_secret, ami_md5, channel_template, allowed_active_calls, rate_limit,
       calls_per_second, provided_prefix, context, extension, allocated_dids, provided_endpoints, status::text,
       tls, tls_verify, tls_ca, tls_name, count_foreign_calls, is_sandbox, recording_directory, offered_contexts
  from server
 order by id;

-- name: directory_allocations
-- A test account has the sandbox, and nobody else has: what the database holds (worlds_apart) is not taken on trust here.
select a.client_id, a.server_id, a.allowed_active_calls, a.rate_limit, a.calls_per_second, a.allocated_dids, a.status::text
  from allocation a join client c on c.id = a.client_id join server s on s.id = a.server_id
 where (c.sandbox_of is not null) = s.is_sandbox
 order by a.client_id, a.server_id;

-- name: control_open
select id, coalesce(client_id, 0), kind, coalesce((args ->> 'entry_id')::bigint, 0)
  from control
 where done_at is null
 order by id
 limit 1000;

-- name: control_done
update control set done_at = now() where id = any ($1::bigint[]) and done_at is null;

-- name: chunks_open
-- Released work that nobody owns, and our own, with what its batch's owner wants. By id, so that older batches come first.
-- What is canceled before it was released, or has expired by $2, is closed all the same. What rests is woken by
-- retry_due.
select c.id, c.client_id, coalesce(c.queue_master_id, 0), coalesce(q.batch_id, 0), c.entry_count,
       q.paused_at is not null, q.canceled_at is not null, coalesce(q.settings_version, 0), coalesce(x.is_over, false)
  from chunk c
  left join queue_master q on q.id = c.queue_master_id
  left join lateral (select batch_expires_at(q.settings, q.created_at) <= $2::timestamptz as is_over) x on q.settings is not null
 where c.closed_at is null and not c.rests
   and (c.dispatched_at is not null or q.canceled_at is not null or x.is_over)
   and (c.owner_node is null or c.owner_node = $1::text)
 order by c.id
 limit 50000;

-- name: queue_terms
-- What their owners have said of these batches (registry/batch.def): columns as enum column of dispatcher/terms.c. One that
-- has been added to may have been finished a moment ago.
select id, settings_version, appended_count > 0, settings ->> 'did', (settings ->> 'channels')::bigint,
       (settings ->> 'calls_per_second')::bigint, (settings ->> 'weight')::bigint, batch_starts_at(settings),
       batch_expires_at(settings, created_at), (settings ->> 'record')::boolean, (settings ->> 'amd')::boolean,
       case when settings ? 'retry' then array_to_string(array(select jsonb_array_elements_text(settings -> 'retry')), ' ') end,
       settings ->> 'context', settings ->> 'extension'
  from queue_master
 where id = any ($1::bigint[]);

-- name: chunk_entries
-- The entries of a chunk that are not finished, have no attempt under way and do not wait for the time of the next; the attempt
-- to come; where the last one failed; the number that they ask to show; the do-not-call list that their number is on; the number
-- that they showed last.
with tried as (
    select entry_id, max(n) as n from attempt
     where entry_id between $1::bigint << 10 and ($1::bigint << 10) + 1023
     group by entry_id
), ended as (
    select entry_id, max(n) as n, bool_or(is_final) as finally,
           (array_agg(server_id order by n desc))[1] as server_id, (array_agg(did order by n desc))[1] as did
      from call_detail
     where entry_id between $1::bigint << 10 and ($1::bigint << 10) + 1023
     group by entry_id
), all_of_it as (
    select array_agg(entry_id) as ids, array_agg(client_id) as clients, array_agg(queue_master_id) as masters,
           array_agg(coalesce(e164, ltrim(number, '+'))) as numbers
      from entry
     where entry_id between $1::bigint << 10 and ($1::bigint << 10) + 1023
    having exists (select from dnc_list where numbers > 0)
), listed as (
    select a.ids[l.ord] as entry_id, l.list from all_of_it a cross join lateral dnc_listed(a.clients, a.masters, a.numbers) l
)
select e.entry_id, e.client_id, coalesce(e.queue_master_id, 0), e.phone_number, e.number, coalesce(e.e164, ''),
       coalesce(e.country_digits, 0), coalesce(e.number_type, 0), coalesce(e.region, ''), coalesce(t.n, 0)::bigint + 1,
       coalesce(d.server_id, 0), coalesce(e.did, (select c.did from chunk c where c.id = $1::bigint), ''), l.list, coalesce(d.did, '')
  from entry e left join tried t using (entry_id) left join ended d using (entry_id) left join listed l using (entry_id)
 where e.entry_id between $1::bigint << 10 and ($1::bigint << 10) + 1023
   and not coalesce(d.finally, false) and coalesce(t.n, 0) = coalesce(d.n, 0)
   and e.entry_id not in (select r.entry_id from retry r
                           where r.entry_id between $1::bigint << 10 and ($1::bigint << 10) + 1023)
 order by e.entry_id;

-- name: chunk_claim
-- Here and in chunk_close written so that it is found by its key: the index of open chunks, read from end to end, is cheap only
-- while the plan is made.
update chunk set owner_node = $1::text, owner_epoch = $2::bigint
 where id = any ($3::bigint[]) and coalesce(closed_at, 'infinity') = 'infinity' and (owner_node is null or owner_node = $1::text);

-- name: number_days_take
-- Before attempt_arm, of clients that limit the calls to one number on a day ($6): those that are as many already wait until the
-- day is over, which attempt_arm heeds; the others count. What is journalled already, by an earlier run of the same group, has
-- been counted. Answers who waits until when.
with planned as (
    select p.*, l.day, l.ends_at,
           row_number() over (partition by p.client_id, l.day, p.number order by p.entry_id) as k
      from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::timestamptz[])
        as p (entry_id, n, client_id, queue_master_id, number, most, armed_at)
      join client c on c.id = p.client_id
     cross join lateral local_day(p.armed_at, c.timezone) l
     where not exists (select from attempt a where a.entry_id = p.entry_id and a.n = p.n)
), judged as materialized (
    select p.*, coalesce(d.attempts, 0) + p.k > p.most as is_full
      from planned p
      left join number_day d on d.client_id = p.client_id and d.local_date = p.day and d.number = p.number
), counted as (
    insert into number_day as d (client_id, local_date, number, attempts)
    select client_id, day, number, count(*) from judged where not is_full group by 1, 2, 3 order by 1, 2, 3
    on conflict (client_id, local_date, number) do update set attempts = d.attempts + excluded.attempts
)
insert into retry (entry_id, client_id, queue_master_id, due_at)
select entry_id, client_id, queue_master_id, ends_at from judged where is_full
on conflict (entry_id) do update set due_at = excluded.due_at
returning entry_id, due_at;

-- name: number_days_expire
delete from number_day where local_date < current_date - 2;

-- name: attempt_arm
-- The journal: only what stands in a chunk that we own, has not ended (been called off) and does not wait to be called later.
-- Answers what is journalled, also from an earlier run of the same group: those are looked for only when something is missing;
-- before them what is not, because its number is on a do-not-call list, which the third column names. What is new counts on
-- its client's day, and stands in the ledger with what was known: $12 are the pseudonyms of the numbers.
with planned as materialized (
    select * from unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::timestamptz[],
                         $10::text[], $12::text[]) with ordinality
        as p (entry_id, n, client_id, queue_master_id, server_id, did, armed_at, region, pseudonym, ord)
), listed as materialized (
    select ord, list from dnc_listed($5, $6, $11::text[]) where (select exists (select from dnc_list where numbers > 0))
), ours as materialized (
    select p.*, l.list
      from planned p
     cross join lateral (select from chunk c
                          where c.id = p.entry_id >> 10 and c.client_id = p.client_id
                            and c.queue_master_id is not distinct from p.queue_master_id
                            and c.owner_node = $1::text and c.owner_epoch = $2::bigint and c.closed_at is null
                          limit 1) owned
      left join lateral (select true as is_over from call_detail d where d.entry_id = p.entry_id and d.is_final
                          limit 1) ended on true
      left join lateral (select true as is_early from retry r where r.entry_id = p.entry_id and r.due_at > p.armed_at
                          limit 1) waits on true
      left join listed l using (ord)
     where ended.is_over is null and waits.is_early is null
), added as (
    insert into attempt (entry_id, n, client_id, queue_master_id, server_id, did, node, epoch, armed_at, region)
    select p.entry_id, p.n::smallint, p.client_id, p.queue_master_id, p.server_id, p.did, $1::text, $2::bigint, p.armed_at,
           p.region
      from ours p
     where p.list is null
    on conflict do nothing
    returning entry_id, n, client_id, armed_at, region
), days as (
    insert into rollup_region as r (client_id, local_date, region, calls)
    select a.client_id, (a.armed_at at time zone c.timezone)::date, a.region, count(*)
      from added a join client c on c.id = a.client_id
     group by 1, 2, 3
     order by 1, 2, 3
    on conflict (client_id, local_date, region) do update set calls = r.calls + excluded.calls
), told as (
    select ledger_add($1, string_agg(
               concat_ws(' ', 'dial', call_name(p.entry_id, p.n), 'client=' || p.client_id, 'batch=' || p.queue_master_id,
                         'number=' || p.pseudonym, 'did=' || p.did, 'server=' || p.server_id, 'zone=' || c.timezone,
                         'local=' || to_char(p.armed_at at time zone c.timezone, 'YYYY-MM-DD"T"HH24:MI:SS'),
                         'dnc=' || v.dnc),
               E'\n' order by p.ord)) as seq
      from added a join planned p on p.entry_id = a.entry_id and p.n = a.n join client c on c.id = p.client_id
     cross join lateral (
        select concat_ws('/', coalesce(max(l.version) filter (where l.client_id = 0), 0),
                              coalesce(max(l.version) filter (where l.client_id > 0 and l.queue_master_id = 0), 0),
                              coalesce(max(l.version) filter (where l.queue_master_id > 0), 0)) as dnc
               from dnc_list l
              where l.client_id in (0, p.client_id) and l.queue_master_id in (0, coalesce(p.queue_master_id, 0))) v
)
select entry_id, n::bigint, null from added where (select count(*) from told) = 1
union all
select entry_id, n, list from ours where list is not null
union all
select p.entry_id, p.n, null
  from planned p
 cross join lateral (select from attempt a
                      where a.entry_id = p.entry_id and a.n = p.n and a.node = $1::text and a.epoch = $2::bigint
                      limit 1) known
 where (select count(*) from added) < (select count(*) from planned);

-- name: calls_listed
-- Which of these, planned or journalled and not written yet, are on a do-not-call list by now.
select ($1::bigint[])[ord], list from dnc_listed($2::bigint[], $3::bigint[], $4::text[]);

-- name: attempt_withdraw
-- Journalled ahead of its channel and never written. Nothing the second time.
select attempt_withdraw($1::bigint[], $2::bigint[], $3::timestamptz[])::text;

-- name: entries_cancel
-- What of these entries is not finished and has no attempt under way ends here: called off, or expired ($4); also when it waited
-- to be called again. No row of rollup_hour: nothing was dialled. Node $5's ledger says what has expired.
-- "offset 0" keeps each range together: a plan that was made while the tables were empty would join all that is in them.
with added as (
    insert into call_detail (entry_id, n, client_id, queue_master_id, disposition, reason, is_final, started_at, ended_at,
                             duration_ms, billsec_ms)
    select e.entry_id, 0, e.client_id, e.queue_master_id,
           (case when c.is_expired then 'expired' else 'canceled' end)::disposition,
           case when c.is_expired then 'its time was over before it was dialled' else 'called off before it was dialled' end,
           true, now(), now(), 0, 0
      from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::boolean[]) as c (client_id, first, last, is_expired)
     cross join lateral (
         select *
           from entry
          where entry_id between c.first and c.last and client_id = c.client_id
            and entry_id not in (select d.entry_id from call_detail d
                                  where d.entry_id between c.first and c.last and d.is_final)
            and entry_id not in (select a.entry_id from attempt a
                                  where a.entry_id between c.first and c.last
                                    and not exists (select from call_detail d where d.entry_id = a.entry_id and d.n = a.n))
         offset 0) e
    on conflict do nothing
    returning entry_id, client_id, queue_master_id, disposition, ended_at
), told as (
    select ledger_add($5::text, string_agg(
               concat_ws(' ', 'refuse', call_name(a.entry_id, 0), 'client=' || a.client_id, 'batch=' || a.queue_master_id,
                         'gate=expired', 'zone=' || c.timezone, 'local=' || to_char(a.ended_at at time zone c.timezone,
                                                                                   'YYYY-MM-DD"T"HH24:MI:SS')),
               E'\n' order by a.entry_id)) as seq
      from added a join client c on c.id = a.client_id
     where a.disposition = 'expired'
), waited as (
    delete from retry r using unnest($1, $2, $3) as c (client_id, first, last)
     where r.client_id = c.client_id and r.entry_id between c.first and c.last
    returning r.entry_id
), woken as (
    update chunk set rests = false where id in (select entry_id >> 10 from waited) and rests
)
insert into rollup_batch as r (queue_master_id, disposition, entries)
select queue_master_id, disposition, count(*) from added
 where queue_master_id is not null and (select count(*) from told) = 1
 group by 1, 2
on conflict (queue_master_id, disposition) do update set entries = r.entries + excluded.entries;

-- name: detail_finish
-- Details, and the rollups of those that are new; of node $23 the ledger's word about those that were refused ($22: their
-- numbers' pseudonyms). No attempts left: it was the last.
with done as (
    select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
                         $8::bigint[], $9::text[], $10::bigint[], $11::boolean[], $12::timestamptz[], $13::timestamptz[],
                         $14::timestamptz[], $15::bigint[], $16::bigint[], $17::text[], $18::text[], $19::text[],
                         $20::boolean[], $21::text[], $22::text[])
        as d (entry_id, n, client_id, queue_master_id, server_id, did, disposition, hangup_cause, reason, attempts_left,
              estimated, started_at, answered_at, ended_at, duration_ms, billsec_ms, number, answered_by, result,
              opted_out, recording, pseudonym)
), added as (
    insert into call_detail (entry_id, n, client_id, queue_master_id, server_id, did, disposition, hangup_cause, reason,
                             is_final, attempts_left, estimated, started_at, answered_at, ended_at, duration_ms, billsec_ms,
                             number, answered_by, result, opted_out, recording)
    select entry_id, n::smallint, client_id, queue_master_id, server_id, did, disposition::disposition,
           hangup_cause::smallint, reason, attempts_left is null, attempts_left::smallint, estimated, started_at, answered_at,
           ended_at, duration_ms, billsec_ms, number, answered_by, result::jsonb, opted_out, recording
      from done
    on conflict do nothing
    returning *
), hours as (
    insert into rollup_hour as r (client_id, server_id, local_date, local_hour, calls, duration_ms, billsec_ms, completed,
                                   busy, no_answer, rejected, invalid, congestion, failed, canceled, expired, suppressed,
                                   unknown)
    select a.client_id, coalesce(a.server_id, 0), (a.started_at at time zone c.timezone)::date,
           extract(hour from a.started_at at time zone c.timezone)::smallint, count(*), sum(a.duration_ms),
           sum(a.billsec_ms),
           count(*) filter (where a.disposition = 'completed'),
           count(*) filter (where a.disposition = 'busy'),
           count(*) filter (where a.disposition = 'no_answer'),
           count(*) filter (where a.disposition = 'rejected'),
           count(*) filter (where a.disposition = 'invalid'),
           count(*) filter (where a.disposition = 'congestion'),
           count(*) filter (where a.disposition = 'failed'),
           count(*) filter (where a.disposition = 'canceled'),
           count(*) filter (where a.disposition = 'expired'),
           count(*) filter (where a.disposition = 'suppressed'),
           count(*) filter (where a.disposition = 'unknown')
      from added a join client c on c.id = a.client_id
     where a.n > 0
     group by 1, 2, 3, 4
    on conflict (client_id, local_date, local_hour, server_id) do update
       set calls = r.calls + excluded.calls, duration_ms = r.duration_ms + excluded.duration_ms,
           billsec_ms = r.billsec_ms + excluded.billsec_ms, completed = r.completed + excluded.completed,
           busy = r.busy + excluded.busy, no_answer = r.no_answer + excluded.no_answer,
           rejected = r.rejected + excluded.rejected, invalid = r.invalid + excluded.invalid,
           congestion = r.congestion + excluded.congestion, failed = r.failed + excluded.failed,
           canceled = r.canceled + excluded.canceled, expired = r.expired + excluded.expired,
           suppressed = r.suppressed + excluded.suppressed, unknown = r.unknown + excluded.unknown
), batches as (
    insert into rollup_batch as r (queue_master_id, disposition, entries)
    select queue_master_id, disposition, count(*) from added
     where is_final and queue_master_id is not null
     group by 1, 2
    on conflict (queue_master_id, disposition) do update set entries = r.entries + excluded.entries
), told as (
    select ledger_add($23::text, string_agg(
               concat_ws(' ', 'refuse', call_name(a.entry_id, a.n), 'client=' || a.client_id, 'batch=' || a.queue_master_id,
                         'number=' || d.pseudonym, 'gate=' || refusing_gate(d.disposition, d.reason),
                         'zone=' || c.timezone, 'local=' || to_char(a.ended_at at time zone c.timezone,
                                                                    'YYYY-MM-DD"T"HH24:MI:SS'),
                         'dnc=' || v.dnc, 'reason=' || to_json(d.reason)),
               E'\n' order by a.entry_id, a.n)) as seq
      from added a join done d on d.entry_id = a.entry_id and d.n = a.n join client c on c.id = a.client_id
     cross join lateral (
             select concat_ws('/', coalesce(max(l.version) filter (where l.client_id = 0), 0),
                              coalesce(max(l.version) filter (where l.client_id > 0 and l.queue_master_id = 0), 0),
                              coalesce(max(l.version) filter (where l.queue_master_id > 0), 0)) as dnc
               from dnc_list l
              where l.client_id in (0, a.client_id) and l.queue_master_id in (0, coalesce(a.queue_master_id, 0))) v
     where a.disposition in ('suppressed', 'expired')
)
select count(*) from added where (select count(*) from told) = 1;

-- name: event_append
-- Numbers the events of one turn per client, dense and in commit order. Answers position and seq.
with incoming as (
    select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::text[])
        as e (ord, client_id, type, occurred_at, entry_id, n, payload)
), numbered as (
    select *, row_number() over (partition by client_id order by ord) as k from incoming
), bumped as (
    insert into client_seq as s (client_id, seq)
    select client_id, count(*) from numbered group by client_id
    on conflict (client_id) do update set seq = s.seq + excluded.seq
    returning client_id, seq
), sized as (
    select b.client_id, b.seq - count(*) as base from bumped b join numbered using (client_id) group by b.client_id, b.seq
), added as (
    insert into event (client_id, seq, type, occurred_at, entry_id, n, payload)
    select client_id, base + k, type, occurred_at, entry_id, n::smallint, payload from numbered join sized using (client_id)
)
select ord, base + k as seq from numbered join sized using (client_id) order by ord;

-- name: events_known
-- Which of these are stored already: asked when it is not known whether a commit took effect, or after a respawn. When the
-- segment was lost, too, the moment of a start or an answer is not known as it was stored; no call is longer than a day.
select e.ord, s.seq
  from unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[])
        as e (ord, client_id, type, occurred_at, entry_id, n)
  join event s on s.entry_id = e.entry_id and s.n = e.n and s.type = e.type
               and s.occurred_at between e.occurred_at - interval '2 days' and e.occurred_at + interval '2 days';

-- name: chunk_close
-- Only when each entry has its final detail. Answers what is closed now, also by an earlier run.
with closed as (
    update chunk c
       set closed_at = now(),
           closed_as = case when exists (select from queue_master q
                                          where q.id = c.queue_master_id and q.canceled_at is not null)
                            then 'canceled'
                            when exists (select from call_detail d
                                          where d.entry_id between c.id << 10 and (c.id << 10) + 1023 and d.disposition = 'expired')
                            then 'expired' else 'done' end
     where c.id = any ($1::bigint[]) and coalesce(c.closed_at, 'infinity') = 'infinity'
       and c.entry_count = (select count(*) from call_detail d
                             where d.entry_id between c.id << 10 and (c.id << 10) + 1023 and d.is_final)
    returning c.id, c.queue_master_id
), masters as (
    update queue_master m
       set open_chunks = m.open_chunks - k.n, finished_at = case when m.open_chunks <= k.n then now() end
      from (select queue_master_id, count(*)::integer as n from closed where queue_master_id is not null group by 1) k
     where m.id = k.queue_master_id
)
select id from closed
union all
select id from chunk where id = any ($1::bigint[]) and closed_at is not null;

-- name: chunk_rest
-- What chunk_close leaves open because entries wait to be called again, and nothing else: it is left alone until the first of
-- them is due (retry_due).
update chunk c set rests = true
 where c.id = any ($1::bigint[]) and coalesce(c.closed_at, 'infinity') = 'infinity'
   and c.entry_count = (select count(*) from call_detail d
                         where d.entry_id between c.id << 10 and (c.id << 10) + 1023 and d.is_final)
                     + (select count(*) from retry r where r.entry_id between c.id << 10 and (c.id << 10) + 1023)
returning c.id;

-- name: retry_add
-- Entries whose attempt was not the last, and when they are due. Nothing the second time.
insert into retry (entry_id, client_id, queue_master_id, due_at)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[])
on conflict do nothing;

-- name: retry_settle
-- Those of these entries that have another attempt under way, or have ended, wait no longer.
delete from retry r
 where r.entry_id = any ($1::bigint[])
   and (exists (select from call_detail d where d.entry_id = r.entry_id and d.is_final)
        or exists (select from attempt a
                    where a.entry_id = r.entry_id
                      and not exists (select from call_detail d where d.entry_id = a.entry_id and d.n = a.n)));

-- name: retry_due
-- The first $3 entries of a line: batch $2 of client $1, or (0) its quick calls. The columns of chunk_entries (do-not-call lists are
-- the journal's affair); when each is due; its batch, whether that is paused or over (then none is dialled), and the version of
-- its settings. Chunks that rest are woken for those due by $4.
with line as materialized (
    select entry_id, due_at from retry
     where client_id = $1::bigint and queue_master_id = $2::bigint
     order by due_at
     limit $3::bigint
), master as materialized (
    select batch_id, paused_at is not null as is_paused, settings_version,
           canceled_at is not null or coalesce(batch_expires_at(settings, created_at) <= $4, false) as is_over
      from queue_master
     where id = $2
), woken as (
    update chunk set rests = false
     where id = any (array(select entry_id >> 10 from line where due_at <= $4::timestamptz)) and rests
       and not exists (select from master where is_paused)
)
select l.entry_id, e.client_id, coalesce(e.queue_master_id, 0), e.phone_number, e.number, coalesce(e.e164, ''),
       coalesce(e.country_digits, 0), coalesce(e.number_type, 0), coalesce(e.region, ''), coalesce(d.n, 0)::bigint + 1,
       0::bigint, coalesce(e.did, c.did, ''), null::text, coalesce(d.did, ''), l.due_at, coalesce(m.batch_id, 0),
       coalesce(m.is_paused, false), coalesce(m.is_over, false), coalesce(m.settings_version, 0)
  from line l
 cross join lateral (select * from entry where entry_id = l.entry_id limit 1) e
 cross join lateral (select did from chunk where id = l.entry_id >> 10 limit 1) c
  left join lateral (select n, did from call_detail where entry_id = l.entry_id order by n desc limit 1) d on true
  left join master m on true
 order by l.due_at, l.entry_id;

-- name: retry_postpone
update retry set due_at = $2::timestamptz where entry_id = $1::bigint;

-- name: retry_heads
-- Each line, and when its first entry is due.
select client_id, queue_master_id, min(due_at) from retry group by 1, 2;

-- name: attempts_known
-- After a respawn: which of the planned attempts were journalled before the end.
select a.entry_id, a.n::bigint
  from unnest($1::bigint[], $2::bigint[]) as p (entry_id, n)
  join attempt a on a.entry_id = p.entry_id and a.n = p.n;

-- name: attempts_open
-- After the segment was lost: journalled, not finished.
select a.entry_id, a.n::bigint, a.client_id, coalesce(a.queue_master_id, 0), a.server_id, a.did, a.armed_at,
       e.phone_number, e.number, coalesce(e.e164, ''), coalesce(e.country_digits, 0), coalesce(q.batch_id, 0),
       coalesce(e.number_type, 0), coalesce(e.region, ''), coalesce(e.did, c.did, q.settings ->> 'did') is not null,
       coalesce((q.settings ->> 'record')::boolean, k.record), coalesce((q.settings ->> 'amd')::boolean, k.amd)
  from chunk c
  join client k on k.id = c.client_id
  left join queue_master q on q.id = c.queue_master_id
  join attempt a on a.entry_id between c.id << 10 and (c.id << 10) + 1023
  join entry e on e.entry_id = a.entry_id
 where c.closed_at is null and not c.rests and c.owner_node = $1::text
   and not exists (select from call_detail d where d.entry_id = a.entry_id and d.n = a.n)
 order by a.entry_id;

-- name: starts_recent
-- What the calls-per-hour limits have to remember of calls that are over: starts by second, rounded up, so that none is
-- forgotten early.
select client_id, server_id, date_trunc('second', started_at) + interval '1 second' as second, count(*)
  from call_detail
 where started_at > now() - interval '1 hour' and n > 0
 group by 1, 2, 3
 order by 3;

-- name: starts_of_share
-- The same of one client on one server.
select date_trunc('second', started_at) + interval '1 second' as second, count(*)
  from call_detail
 where client_id = $1::bigint and server_id = $2::bigint and started_at > now() - interval '1 hour' and n > 0
 group by 1
 order by 1;

-- name: partitions_advance
select partitions_advance()::text;

-- name: keys_used
-- When keys were last used, to the minute.
update api_key k
   set last_used_at = u.at
  from unnest($1::bigint[], $2::timestamptz[]) u(id, at)
 where k.id = u.id and coalesce(k.last_used_at < date_trunc('minute', u.at), true);

-- name: opt_out
-- Who was called has asked for no more calls of this client ($1): its own list has the number from now on. By call.
with given as (
    select client_id, number collate "C" as number, min(call_id) as call_id
      from unnest($1::bigint[], $2::text[], $3::text[]) as o (client_id, number, call_id)
     group by 1, 2
     order by 1, 2
), added as (
    insert into dnc_number (client_id, queue_master_id, number, source, added_by)
    select client_id, 0, number, 'call', call_id from given
    on conflict do nothing
    returning client_id
)
insert into dnc_list as l (client_id, queue_master_id, version, numbers)
select client_id, 0, 1, count(*) from added group by 1 order by 1
on conflict (client_id, queue_master_id)
do update set version = l.version + 1, numbers = l.numbers + excluded.numbers, changed_at = now();
