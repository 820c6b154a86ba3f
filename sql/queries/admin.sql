-- What administrators see and change, by HTTP (ccs_admin) and by ccsctl (ccs_owner). Lists are read by position: registry/noun_json.c
-- and the *_from_row of registry/. Each takes two texts, an id and a second one as filters (null: any), then how many rows (null:
-- all), how many to leave out, and whether the last come first; its last column is how many there are of them in all, so that a
-- page behind the end is one row of nulls.
-- role: ccs_owner ccs_admin

-- name: client_list
-- Filters: accountcode, status, id.
with matching as (
    select id from client
     where ($1::text is null or accountcode = $1) and ($2::text is null or status::text = $2)
       and ($3::bigint is null or id = $3) and $4::bigint is null
), picked as (
    select id from matching order by case when $7::boolean then -id else id end limit $5::bigint offset $6::bigint
)
select f.*, r.active_time_start::text, r.active_time_end::text,
       (select string_agg(u.username, ' ' order by u.id) from app_user u where u.client_id = f.id),
       (select count(*) from api_key k
         where k.client_id = f.id and k.revoked_at is null and coalesce(k.expires_at > now(), true)),
       coalesce(array_to_string(r.daily_caps, ' '), ''), r.retention_days, coalesce(array_to_string(r.retry, ' '), ''),
       r.attempts_per_number_per_day, r.asyncdatabaseurl is not null, r.syncdatabaseurl is not null,
       r.version, r.record, r.amd, coalesce(array_to_string(r.allowed_contexts, ' '), ''), t.total
  from (select count(*) as total from matching) t
  left join (picked p join client r on r.id = p.id join client_facts f on f.id = p.id) on true
 order by case when $7 then -f.id else f.id end;

-- name: user_list
-- Filters: accountcode ("": administrators, who have none), username, id.
with matching as (
    select u.id from app_user u left join client c on c.id = u.client_id
     where ($1::text is null or coalesce(c.accountcode, '') = $1) and ($2::text is null or u.username = $2)
       and ($3::bigint is null or u.id = $3) and $4::bigint is null
), picked as (
    select id from matching order by case when $7::boolean then -id else id end limit $5::bigint offset $6::bigint
)
select u.id, u.username, u.role, coalesce(c.accountcode, ''), coalesce(u.client_id, 0),
       (select max(s.refreshed_at) from user_session s where s.user_id = u.id), u.created_at, u.updated_at, u.version, t.total
  from (select count(*) as total from matching) t
  left join (picked p join app_user u on u.id = p.id left join client c on c.id = u.client_id) on true
 order by case when $7 then -u.id else u.id end;

-- name: server_list
-- Filters: server_code, status, id.
with matching as (
    select id from server
     where ($1::text is null or server_code = $1) and ($2::text is null or status::text = $2)
       and ($3::bigint is null or id = $3) and $4::bigint is null
), picked as (
    select id from matching order by case when $7::boolean then -id else id end limit $5::bigint offset $6::bigint
)
select s.id, s.server_code, s.host, s.port, s.status::text, s.allowed_active_calls, s.rate_limit, s.calls_per_second,
       s.ami_user, s.channel_template, s.extension, s.context, s.provided_prefix, s.allocated_dids,
       s.provided_endpoints, s.tls, s.tls_verify, s.tls_ca, s.tls_name, s.count_foreign_calls, s.default_directory,
       s.recording_directory, s.offered_contexts, s.created_at, s.updated_at, s.version, t.total
  from (select count(*) as total from matching) t
  left join (picked p join server s on s.id = p.id) on true
 order by case when $7 then -s.id else s.id end;

-- name: allocation_list
-- Filters: accountcode, server_code, client_id, server_id. In the order of account and server codes.
with matching as (
    select a.client_id, a.server_id, c.accountcode, s.server_code
      from allocation a join client c on c.id = a.client_id join server s on s.id = a.server_id
     where ($1::text is null or c.accountcode = $1) and ($2::text is null or s.server_code = $2)
       and ($3::bigint is null or a.client_id = $3) and ($4::bigint is null or a.server_id = $4)
), picked as (
    select row_number() over (order by accountcode, server_code) * case when $7::boolean then -1 else 1 end as place, m.*
      from matching m
     order by place limit $5::bigint offset $6::bigint
)
select a.client_id, a.server_id, a.allowed_active_calls, a.rate_limit, a.calls_per_second, a.status::text,
       s.id, s.server_code, s.host, s.port, s.status::text, s.allowed_active_calls, s.rate_limit, s.calls_per_second,
       p.accountcode, a.allocated_dids, a.automatic, a.created_at, a.updated_at, a.version, t.total
  from (select count(*) as total from matching) t
  left join (picked p join allocation a on a.client_id = p.client_id and a.server_id = p.server_id
                      join server s on s.id = p.server_id) on true
 order by p.place;

-- name: client_hold
-- What is to be changed, held until the transaction ends: ids and version. By id, or by name. No row: there is none.
select id, 0::bigint, version from client
 where case when $3::bigint > 0 then id = $3 else accountcode = $1::text end and $2::text is null and $4::bigint is null
   for no key update;

-- name: user_hold
select id, coalesce(client_id, 0), version from app_user
 where case when $3::bigint > 0 then id = $3 else username = $1::text end and $2::text is null and $4::bigint is null
   for no key update;

-- name: server_hold
select id, 0::bigint, version from server
 where case when $3::bigint > 0 then id = $3 else server_code = $1::text end and $2::text is null and $4::bigint is null
   for no key update;

-- name: allocation_hold
select a.client_id, a.server_id, a.version
  from allocation a join client c on c.id = a.client_id join server s on s.id = a.server_id
 where case when $3::bigint > 0 then a.client_id = $3 and a.server_id = $4::bigint
            else c.accountcode = $1::text and s.server_code = $2::text end
   for no key update of a;

-- name: server_delete
-- Columns: how many clients have a share of it, and whether it has ever dialled; then it stays. Else it is gone.
with held as (
    select s.id, (select count(*) from allocation a where a.server_id = s.id) as shares,
           exists (select from rollup_hour r where r.server_id = s.id)
           or exists (select from attempt t where t.server_id = s.id and t.armed_at > now() - interval '1 day') as has_dialled
      from server s where s.id = $1::bigint
), gone as (
    delete from server s using held h where s.id = h.id and h.shares = 0 and not h.has_dialled
)
select shares, has_dialled from held;

-- name: allocation_delete
delete from allocation where client_id = $1::bigint and server_id = $2::bigint;

-- name: person_insert
-- Of the client with this account code, or (null) an administrator. No row: there is no such client.
insert into app_user (client_id, username, password_hash, role)
select c.id, $2::text, $3::text, case when $1::text is null then 'admin' else 'client' end
  from (select 1) one left join client c on c.accountcode = $1
 where $1 is null or c.id is not null
returning id, coalesce(client_id, 0);

-- name: person_rename
update app_user set username = $2::text, updated_at = now() where id = $1::bigint;

-- name: person_password
-- It ends all sessions: their tokens name another version.
update app_user set password_hash = $2::text, session_version = session_version + 1, updated_at = now() where id = $1::bigint;

-- name: person_sign_out
delete from user_session where user_id = $1::bigint;

-- name: person_delete
delete from app_user where id = $1::bigint;

-- name: admins_left
-- How many administrators there are beside this one: users, who stay until the transaction ends, and keys that are good.
select (select count(*) from (select from app_user where role = 'admin' and id <> $1::bigint for key share) others)
       + (select count(*) from api_key
           where client_id is null and revoked_at is null and coalesce(expires_at > now(), true));
