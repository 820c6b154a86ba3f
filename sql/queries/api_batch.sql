-- role: ccs_api
-- How work comes in. Each statement is a transaction of its own (db_query_as), except where it says otherwise. chunk_id_seq
-- and entry_id: migration 0002. The columns of chunks are read by position: registry/entry_copy.h.

-- name: batches_open
-- Batches of one client without their entries, which follow by COPY in the same transaction: batch_ids that differ, in
-- ascending order, so that two transactions cannot wait for each other. Returns their chunks: of each its batch, by position
-- in the arrays from 1, and which of its chunks it is, from 0; is there a do-not-call list that its numbers may be on? None:
-- that batch_id is used, and nothing of it is stored.
with batches as materialized (
    select *
      from unnest($2::bigint[], $3::bytea[], $4::bigint[], $5::text[], $6::bigint[], $7::text[]) with ordinality
        as b (batch_id, content, entries, rejected, rejected_count, settings, ord)
), masters as (
    insert into queue_master (client_id, batch_id, content, inserted_count, rejected, dispatched_at, rejected_count,
                              open_chunks, settings, settings_version)
    select $1::bigint, batch_id, content, entries, rejected, case when $8::boolean then now() end, rejected_count,
           (entries + 1023) / 1024, settings::jsonb, (settings is not null)::integer
      from batches
    on conflict (client_id, batch_id) do nothing
    returning id, batch_id, dispatched_at
), today as materialized (
    select (now() at time zone $9::text)::date as local_date, count(*) as batches from masters having count(*) > 0
), shard as (
    select r.shard from rollup_queue r, today
     where r.client_id = $1 and r.local_date = today.local_date
     limit 1
       for update of r skip locked
), counted as (
    update rollup_queue r set batches = r.batches + today.batches
      from shard, today
     where r.client_id = $1 and r.local_date = today.local_date and r.shard = shard.shard
), began as (
    insert into rollup_queue as r
    select $1, local_date, (random() * 2147483647)::integer, batches from today where not exists (select from shard)
    on conflict (client_id, local_date, shard) do update set batches = r.batches + excluded.batches
), ids as materialized (
    select b.ord, k, nextval('chunk_id_seq') as id, least(b.entries - k * 1024, 1024) as entry_count,
           m.id as queue_master_id, m.batch_id, m.dispatched_at
      from masters m join batches b using (batch_id), generate_series(0, (b.entries - 1) / 1024) as k
), chunks as (
    insert into chunk (id, client_id, queue_master_id, entry_count, dispatched_at)
    select id, $1, queue_master_id, entry_count, dispatched_at from ids
)
select id, entry_count, queue_master_id, batch_id, ord, k, exists (select from dnc_list where numbers > 0) from ids order by ord, k;

-- name: batch_append
-- The same for one batch that is added to the client's queue $6: its entries join those of that queue, and are dialled with
-- them when it has been dispatched. None also when that queue is canceled.
with part as (
    insert into queue_master (client_id, batch_id, content, inserted_count, rejected, dispatched_at, rejected_count,
                              open_chunks, finished_at, part_of)
    select $1::bigint, $2::bigint, $3::bytea, $4::bigint, $5::text, now(), $7::bigint, 0, now(), q.id
      from queue_master q
     where q.client_id = $1 and q.id = $6::bigint and q.canceled_at is null
    on conflict (client_id, batch_id) do nothing
    returning part_of
), queue as (
    update queue_master m
       set appended_count = m.appended_count + $4, rejected_count = m.rejected_count + $7,
           open_chunks = m.open_chunks + ($4 + 1023) / 1024, finished_at = null
      from part
     where m.id = part.part_of
    returning m.id, m.batch_id, m.dispatched_at
), ids as materialized (
    select k, nextval('chunk_id_seq') as id, least($4 - k * 1024, 1024) as entry_count
      from queue, generate_series(0, ($4 - 1) / 1024) as k
), chunks as (
    insert into chunk (id, client_id, queue_master_id, entry_count, dispatched_at, did)
    select ids.id, $1, queue.id, ids.entry_count, case when queue.dispatched_at is not null then now() end, $8::text
      from ids, queue
), told as (
    insert into control (client_id, kind) select $1, 'dispatch' from queue where dispatched_at is not null
    returning id, pg_notify('ccs', '') is null
)
select ids.id, ids.entry_count, queue.id, queue.batch_id, 1::bigint, ids.k, exists (select from dnc_list where numbers > 0)
  from ids, queue order by ids.k;

-- name: entry_copy
-- role: ccs_api ccs_owner
-- The leaf partition of these entries: COPY and row-level security on the parent exclude each other.
copy entry_p%lld (entry_id, client_id, queue_master_id, phone_number, number, e164, country_digits, number_type,
                   region, custom_data, did)
from stdin (format binary);

-- name: caller_ids
-- role: ccs_api ccs_owner
-- The numbers that a client may show, sorted by their bytes.
select did from caller_id where client_id = $1::bigint and client_id = current_client() order by did collate "C";

-- name: context_allowed
-- role: ccs_api ccs_owner
-- May the client's batches ask for context $2?
select coalesce($2::text = any (allowed_contexts), false) from client where id = $1::bigint and id = current_client();

-- name: load_begin
-- role: ccs_api ccs_owner
-- A file of entries is loaded in one transaction (registry/load.h), one at a time of a client, and $2 of all (0: any number). The
-- locks end with it. Columns: has the client none under way, is there a place, the queue master ($3, or a new id).
select pg_try_advisory_xact_lock(hashtextextended('ccs.load of client ' || $1::bigint, 0)),
       $2::bigint = 0 or exists (select from generate_series(1, $2) place
                                  where pg_try_advisory_xact_lock(hashtextextended('ccs.load ' || place, 0))
                                  limit 1),
       coalesce($3::bigint, nextval('queue_master_id_seq'));

-- name: load_chunks
-- role: ccs_api ccs_owner
-- Ids of $1 chunks, whose rows come at the end.
select nextval('chunk_id_seq') from generate_series(1, $1::bigint);

-- name: load_end
-- role: ccs_api ccs_owner
-- The batch ($3) of what has been copied, and its chunks ($9, $10), as in batches_open. Columns: control row or null, is there a
-- do-not-call list. No row: the batch_id was used meanwhile.
with master as (
    insert into queue_master (id, client_id, batch_id, content, inserted_count, rejected, rejected_count, open_chunks,
                              dispatched_at, settings, settings_version)
    overriding system value
    values ($3::bigint, $1::bigint, $2::bigint, $4::bytea, $5::bigint, $6::text, $7::bigint, cardinality($9::bigint[]),
            case when $11::boolean then now() end, $8::text::jsonb, ($8 is not null)::integer)
    on conflict (client_id, batch_id) do nothing
    returning id, dispatched_at
), today as materialized (
    select (now() at time zone $12::text)::date as local_date from master
), shard as (
    select r.shard from rollup_queue r, today
     where r.client_id = $1 and r.local_date = today.local_date
     limit 1
       for update of r skip locked
), counted as (
    update rollup_queue r set batches = r.batches + 1
      from shard, today
     where r.client_id = $1 and r.local_date = today.local_date and r.shard = shard.shard
), began as (
    insert into rollup_queue as r
    select $1, local_date, (random() * 2147483647)::integer, 1 from today where not exists (select from shard)
    on conflict (client_id, local_date, shard) do update set batches = r.batches + 1
), chunks as (
    insert into chunk (id, client_id, queue_master_id, entry_count, dispatched_at)
    select c.id, $1, master.id, c.entry_count, master.dispatched_at
      from master, unnest($9, $10::bigint[]) as c (id, entry_count)
), told as (
    insert into control (client_id, kind) select $1, 'dispatch' from master where dispatched_at is not null
    returning id, pg_notify('ccs', '') is null
)
select (select id from told), exists (select from dnc_list where numbers > 0) from master;

-- name: load_append
-- role: ccs_api ccs_owner
-- The same for entries that join those of queue $3, as in batch_append. No row also when that queue is canceled.
with part as (
    insert into queue_master (client_id, batch_id, content, inserted_count, rejected, dispatched_at, rejected_count,
                              open_chunks, finished_at, part_of)
    select $1::bigint, $2::bigint, $4::bytea, $5::bigint, $6::text, now(), $7::bigint, 0, now(), q.id
      from queue_master q
     where q.client_id = $1 and q.id = $3::bigint and q.canceled_at is null
    on conflict (client_id, batch_id) do nothing
    returning part_of
), queue as (
    update queue_master m
       set appended_count = m.appended_count + $5, rejected_count = m.rejected_count + $7,
           open_chunks = m.open_chunks + cardinality($9::bigint[]), finished_at = null
      from part
     where m.id = part.part_of
    returning m.id, m.dispatched_at
), chunks as (
    insert into chunk (id, client_id, queue_master_id, entry_count, dispatched_at, did)
    select c.id, $1, queue.id, c.entry_count, case when queue.dispatched_at is not null then now() end, $8::text
      from queue, unnest($9, $10::bigint[]) as c (id, entry_count)
), told as (
    insert into control (client_id, kind) select $1, 'dispatch' from queue where dispatched_at is not null
    returning id, pg_notify('ccs', '') is null
)
select (select id from told), exists (select from dnc_list where numbers > 0) from queue;

-- name: batch_find
-- role: ccs_api ccs_owner
select coalesce(part_of, id), content, inserted_count, rejected, suppressed_count
  from queue_master
 where client_id = $1::bigint and batch_id = $2::bigint;

-- name: batch_outlook
-- What waits of a client and may be dialled, and its calls of the last week: how many, and how long they took together.
select coalesce((select sum(m.inserted_count + m.appended_count
                            - coalesce((select sum(r.entries) from rollup_batch r where r.queue_master_id = m.id), 0))
                   from queue_master m
                  where m.client_id = $1::bigint and m.finished_at is null and m.dispatched_at is not null
                    and m.paused_at is null and m.canceled_at is null and m.part_of is null), 0)::bigint,
       coalesce(sum(h.calls), 0)::bigint, coalesce(sum(h.duration_ms), 0)::bigint
  from rollup_hour h
 where h.client_id = $1 and h.local_date > current_date - 7;

-- name: quick_calls
-- Several calls of one client, each a chunk of its own, released at once; the chunks in the order of the calls. One whose
-- number is on a do-not-call list has ended.
with calls as materialized (
    select nextval('chunk_id_seq') as id, c.*
      from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[])
        with ordinality
        as c (phone_number, number, e164, country_digits, number_type, region, custom_data, did, ord)
), chunks as (
    insert into chunk (id, client_id, entry_count, dispatched_at)
    select id, $1::bigint, 1, now() from calls
), entries as (
    insert into entry (entry_id, client_id, phone_number, number, e164, country_digits, number_type, region, custom_data,
                       did)
    select id * 1024, $1, phone_number, number, e164, country_digits::smallint, number_type::smallint, region, custom_data,
           did
      from calls
), ended as (
    select entry_id
      from (select array_agg(id * 1024) as entries, array_agg(coalesce(e164, ltrim(number, '+'))) as numbers from calls
            having exists (select from dnc_list where numbers > 0)) c
     cross join lateral dnc_end($1, c.entries, array_fill(null::bigint, array[cardinality(c.entries)]), c.numbers)
)
select id, id * 1024 in (select entry_id from ended) from calls order by ord;

-- name: dispatch_calls
-- Releases what waits for it, and tells the dispatcher if there was anything. Columns: control row or null, entries newly
-- released, entries released earlier that have no outcome yet (live calls among them), and how many of these are paused.
with released as (
    update chunk set dispatched_at = now()
     where client_id = $1::bigint and closed_at is null and not rests and dispatched_at is null
       and not exists (select from queue_master q where q.id = queue_master_id and q.canceled_at is not null)
    returning queue_master_id, entry_count
), masters as (
    update queue_master set dispatched_at = now()
     where id in (select queue_master_id from released) and dispatched_at is null
), told as (
    insert into control (client_id, kind) select $1, 'dispatch' where exists (select from released)
    returning id, pg_notify('ccs', '') is null
)
select (select id from told),
       (select coalesce(sum(entry_count), 0) from released)::bigint,
       coalesce(sum(entry_count - finished), 0)::bigint,
       coalesce(sum(entry_count - finished) filter (where q.paused_at is not null), 0)::bigint
  from chunk c
  left join queue_master q on q.id = c.queue_master_id
 cross join lateral (select count(*) as finished
                       from call_detail d
                      where d.entry_id between c.id * 1024 and c.id * 1024 + 1023 and d.is_final) f
 where c.client_id = $1 and (c.closed_at is null and not c.rests or c.closed_at is null and c.rests)
   and c.dispatched_at is not null;

-- name: batch_order
-- role: ccs_api ccs_owner
-- Pauses, resumes or cancels a batch that is not over, and tells the dispatcher. Columns: the control row, or null when there
-- was nothing to change; is it canceled, is it finished.
with changed as (
    update queue_master
       set paused_at = case $3::text when 'pause' then now() when 'resume' then null else paused_at end,
           canceled_at = case when $3 = 'cancel' then now() end
     where client_id = $1::bigint and id = $2::bigint and canceled_at is null and finished_at is null
       and case $3 when 'pause' then paused_at is null when 'resume' then paused_at is not null else true end
    returning id
), told as (
    insert into control (client_id, kind) select $1, $3 from changed returning id, pg_notify('ccs', '') is null
)
select (select id from told), canceled_at is not null, finished_at is not null
  from queue_master
 where client_id = $1 and id = $2;

-- name: batch_settings_hold
-- role: ccs_api ccs_owner
-- What a change of a batch's settings begins with: nobody else changes them until it ends.
select settings_version, settings::text, canceled_at is not null, batch_id
  from queue_master
 where client_id = $1::bigint and id = $2::bigint
   for update;

-- name: batch_settings_set
-- role: ccs_api ccs_owner
-- Those of $3, where null takes one back. The dispatcher is told of a batch that is not over. Columns: the version now, all of
-- them now, the control row or null.
with changed as (
    update queue_master
       set settings = nullif(jsonb_strip_nulls(coalesce(settings, '{}') || $3::text::jsonb), '{}'),
           settings_version = settings_version + 1
     where client_id = $1::bigint and id = $2::bigint
    returning settings_version, settings, finished_at
), told as (
    insert into control (client_id, kind) select $1, 'settings' from changed where finished_at is null
    returning id, pg_notify('ccs', '') is null
)
select settings_version, settings::text, (select id from told) from changed;

-- name: call_off
-- Wherever the call of this entry is: the dispatcher looks.
insert into control (client_id, kind, args)
values ($1::bigint, 'hangup', jsonb_build_object('entry_id', $2::bigint))
returning id, pg_notify('ccs', '') is null;
