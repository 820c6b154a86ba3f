-- role: ccs_owner ccs_admin
-- Days without calls: registry/holiday.h.

-- name: holiday_add
-- Of the client with this account code, or (null) of region $2. One that is there stays as it is; last column: it is new. No
-- row: there is no such client.
with owner as (
    select c.id as client_id from client c where c.accountcode = $1::text
    union all
    select null where $1 is null
), added as (
    insert into holiday (client_id, region, day, name)
    select client_id, $2::text, $3::text::date, $4::text from owner
    on conflict do nothing
    returning id
)
select coalesce(a.id, h.id, 0), coalesce(o.client_id, 0), a.id is not null
  from owner o
  left join added a on true
  left join holiday h on h.day = $3::text::date and h.client_id is not distinct from o.client_id
                     and h.region is not distinct from $2::text;

-- name: holiday_remove
-- Whose it was.
with removed as (
    delete from holiday where id = $1::bigint returning *
)
select coalesce(r.client_id, 0), coalesce(c.accountcode, r.region), r.day::text
  from removed r left join client c on c.id = r.client_id;

-- name: holiday_list
-- Of a client's account code, of a region, or (null) of any; $3 rows from $4 on. A page behind the end is one row of nulls.
with matching as (
    select h.*, c.accountcode from holiday h left join client c on c.id = h.client_id
     where ($1::text is null or c.accountcode = $1) and ($2::text is null or h.region = $2)
)
select p.id, p.accountcode, p.region, p.day::text, p.name, t.total
  from (select count(*) as total from matching) t
  left join (select * from matching order by day, id limit $3::bigint offset $4::bigint) p on true
 order by p.day, p.id;
