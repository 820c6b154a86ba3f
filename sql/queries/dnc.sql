-- Do-not-call lists: registry/dnc.c. Of client $1 (0: everybody's), of its batch $2 (0: of the client).
-- role: ccs_api ccs_owner

-- name: dnc_add
-- Those of $3 that are not on it yet, by source $4 and actor $5. Columns: how many these were, the list's version, how many
-- are on it, control row or null.
with added as (
    insert into dnc_number (client_id, queue_master_id, number, source, added_by)
    select $1::bigint, $2::bigint, number, $4::text, $5::text
      from (select number collate "C" as number from unnest($3::text[]) as number order by 1) given
    on conflict do nothing
    returning 1
), list as (
    insert into dnc_list as l (client_id, queue_master_id, version, numbers)
    select $1, $2, 1, count(*) from added having count(*) > 0
    on conflict (client_id, queue_master_id)
    do update set version = l.version + 1, numbers = l.numbers + excluded.numbers, changed_at = now()
    returning version, numbers
), told as (
    insert into control (client_id, kind) select nullif($1, 0), 'dnc' from list
    returning id, pg_notify('ccs', '') is null
), before as (
    select version, numbers from dnc_list where client_id = $1 and queue_master_id = $2
)
select (select count(*) from added), coalesce((select version from list), (select version from before), 0)::bigint,
       coalesce((select numbers from list), (select numbers from before), 0)::bigint, (select id from told);

-- name: dnc_remove
-- The same for those of $3 that are on it. Nobody has to be told.
with removed as (
    delete from dnc_number where client_id = $1::bigint and queue_master_id = $2::bigint and number = any ($3::text[])
    returning 1
), list as (
    update dnc_list l
       set version = l.version + 1, numbers = l.numbers - r.n, changed_at = now()
      from (select count(*) as n from removed) r
     where l.client_id = $1 and l.queue_master_id = $2 and r.n > 0
    returning l.version, l.numbers
), before as (
    select version, numbers from dnc_list where client_id = $1 and queue_master_id = $2
)
select (select count(*) from removed), coalesce((select version from list), (select version from before), 0)::bigint,
       coalesce((select numbers from list), (select numbers from before), 0)::bigint, null::bigint;

-- name: dnc_head
-- Version, how many numbers, when it was changed last. No row: nothing was ever on it.
select version, numbers, changed_at from dnc_list where client_id = $1::bigint and queue_master_id = $2::bigint;

-- name: dnc_part
-- $4 of its numbers behind number $3 and $5 others, or that one of number $6.
select number, source, added_by, added_at
  from dnc_number
 where client_id = $1::bigint and queue_master_id = $2::bigint and number > $3::text and ($6::text is null or number = $6)
 order by number
 limit $4::bigint offset $5::bigint;

-- name: dnc_check
-- Which of the client's lists, and everybody's, have one of these numbers: position from 1, list.
select ord, list from dnc_mine($2::bigint, $1::text[]);

-- name: dnc_end_chunks
-- New entries of the client that are on a list end: of the chunks $2, each of the batch of $3 beside it. Of each such batch how
-- many they were.
select batch_id, suppressed from dnc_end_chunks($1::bigint, $2::bigint[], $3::bigint[]);
