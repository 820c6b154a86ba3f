-- Users, their passwords, and the sessions that tokens name. Those who read client columns do it by position
-- (registry/client.c, client_from_row); what follows them is read in registry/user.c.
-- role: ccs_login

-- name: user_by_name
-- An administrator has no client: the columns of one are null, here and below.
select c.*, u.id, u.session_version, u.username, u.password_hash
  from app_user u
  left join client_facts c on c.id = u.client_id
 where u.username = $1::text;

-- name: user_by_id
select c.*, u.id, u.session_version, u.username, u.password_hash
  from app_user u
  left join client_facts c on c.id = u.client_id
 where u.id = $1::bigint;

-- name: client_by_session
-- role: ccs_api
-- Who a token belongs to, the version that it must have, and whether the session is over.
select c.*, u.session_version, s.ended_at is not null or s.expires_at <= now()
  from user_session s
  join app_user u on u.id = s.user_id
  left join client_facts c on c.id = u.client_id
 where s.id = $1::bigint and u.id = $2::bigint;

-- name: session_open
-- A new session of a user that is good for $3 seconds. Those go that no token can need any more: access tokens live an hour
-- at most. A user who signs in for every request keeps the last hundred.
with gone as (
    delete from user_session s
     where s.user_id = $1::bigint
       and (least(s.expires_at, s.ended_at) < now() - interval '2 hours'
            or s.refreshed_at < now() - interval '2 hours'
               and s.id < (select r.id from user_session r where r.user_id = $1 order by r.id desc offset 99 limit 1))
)
insert into user_session (user_id, refresh_id, expires_at)
values ($1, $2::text, now() + $3::bigint * interval '1 second')
returning id, expires_at;

-- name: session_refresh
-- role: ccs_api
-- A refresh token is good once; then $5 takes the place of $4. The one before it is good for some seconds more, for those
-- whom the answer did not reach or who ask twice at once: they get the same successor. No row: it is not good.
update user_session s
   set previous_id = case when s.refresh_id = $4::text then $4 else s.previous_id end,
       refreshed_at = case when s.refresh_id = $4 then now() else s.refreshed_at end,
       refresh_id = case when s.refresh_id = $4 then $5::text else s.refresh_id end
  from app_user u
  left join client c on c.id = u.client_id
 where s.id = $1::bigint and s.user_id = $2::bigint and u.id = s.user_id and u.session_version = $3::bigint
   and s.ended_at is null and s.expires_at > now() and (u.client_id is null or c.is_active and c.status <> 'suspended')
   and (s.refresh_id = $4 or s.previous_id = $4 and s.refreshed_at > now() - interval '30 seconds')
returning s.expires_at, s.refresh_id;

-- name: session_end
-- role: ccs_api
-- Column: the control row that makes the dispatcher read it, 0 for an administrator's ($2 = 0), of whom it knows nothing; no
-- row: it was over.
with ended as (
    update user_session set ended_at = now() where id = $1::bigint and ended_at is null returning id
), told as (
    insert into control (client_id, kind) select $2::bigint, 'reload' from ended where $2 > 0
    returning id, pg_notify('ccs', '') is null
)
select coalesce(told.id, 0) from ended left join told on true;

-- name: password_change
-- All sessions are over, and a new one begins, good for $5 seconds. No row: somebody else has changed it meanwhile.
with changed as (
    update app_user set password_hash = $2::text, session_version = session_version + 1, updated_at = now()
     where id = $1::bigint and session_version = $3::bigint
    returning id, client_id, session_version
), gone as (
    delete from user_session s using changed where s.user_id = changed.id
), opened as (
    insert into user_session (user_id, refresh_id, expires_at)
    select id, $4::text, now() + $5::bigint * interval '1 second' from changed
    returning id, expires_at
), told as (
    insert into control (client_id, kind) select client_id, 'reload' from changed where client_id is not null
    returning id, pg_notify('ccs', '') is null
), recorded as (
    insert into audit (actor, action, subject)
    select 'user:' || u.username, 'password.change', coalesce(c.accountcode, '')
      from changed join app_user u on u.id = changed.id left join client c on c.id = changed.client_id
)
select opened.id, opened.expires_at, changed.session_version, coalesce(told.id, 0)
  from changed cross join opened left join told on true;
