-- role: ccs_api ccs_owner
-- Erasing a telephone number: registry/subject.c, step by step.

-- name: subject_step
-- The entries of the client's next 200 chunks behind chunk $2 that have one of these numbers; of each the n of the attempt
-- that is under way (0: none), and whether it has ended. The first row says where the next step goes on (null: nowhere).
with part as (
    select id from chunk where client_id = $1::bigint and id > $2::bigint order by id limit 200
)
select max(id), null::bigint, null::bigint, null::boolean from part
union all
select null, e.entry_id, coalesce(a.n, 0)::bigint, exists (select from call_detail d where d.entry_id = e.entry_id and d.is_final)
  from part
  join entry e on e.entry_id between part.id * 1024 and part.id * 1024 + 1023
  left join lateral (select max(t.n) as n from attempt t
                      where t.entry_id = e.entry_id
                        and not exists (select from call_detail d where d.entry_id = t.entry_id and d.n = t.n)) a on true
 where e.client_id = $1 and (e.e164 = any ($3::text[]) or e.number = any ($3));

-- name: subject_withdraw
-- Wherever these entries wait, they are not dialled any more.
insert into control (client_id, kind, args)
select $1::bigint, 'hangup', jsonb_build_object('entry_id', id) from unnest($2::bigint[]) as id
returning id, pg_notify('ccs', '') is null;

-- name: subject_open
-- How many of them have no end yet.
select count(*)
  from entry e
 where e.entry_id = any ($2::bigint[]) and e.client_id = $1::bigint
   and not exists (select from call_detail d where d.entry_id = e.entry_id and d.is_final);

-- name: subject_erase
select entries, details, events, batches, answers from subject_erase($1::bigint, $2::bigint[], $3::text[]);
