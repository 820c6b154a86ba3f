-- Who may call what. The columns of clients, servers and allocations are read by position: registry/{client,server,
-- allocation}.c, *_from_row. What is null there has no limit of its own.
-- role: ccs_api ccs_owner

-- name: client_by_key
-- An administrator's key and a server's have no client: the columns of one are null.
select c.*, k.id, k.expires_at, k.revoked_at is not null, coalesce(k.expires_at <= now(), false),
       array_to_string(k.scopes, ' '), array_to_string(k.networks, ' '), coalesce(k.server_id, 0)
  from api_key k
  left join client_facts c on c.id = k.client_id
 where k.digest = $1::bytea;

-- name: client_by_certificate
-- The columns of client_by_key, for a certificate: no id, never revoked, as what is removed is gone; and its end is nginx's to see.
select c.*, 0::bigint, k.not_after, false, false, 'read dial admin', '', 0::bigint
  from client_certificate k
  join client_facts c on c.id = k.client_id
 where k.fingerprint = $1::bytea;

-- name: certificate_insert
-- role: ccs_owner
insert into client_certificate (client_id, fingerprint, subject, not_after)
select c.id, $2::bytea, $3::text, $4::timestamptz from client c where c.accountcode = $1::text
returning client_id, $1::text;

-- name: certificate_delete
-- role: ccs_owner
delete from client_certificate k using client c where c.id = k.client_id and k.fingerprint = $1::bytea
returning c.id, c.accountcode;

-- name: certificate_list
-- role: ccs_owner
select c.accountcode, k.fingerprint, k.subject, k.not_after, k.created_at
  from client_certificate k
  join client c on c.id = k.client_id
 where $1::text is null or c.accountcode = $1
 order by c.accountcode, k.created_at;

-- name: client_by_accountcode
select c.*
  from client_facts c
 where c.accountcode = $1::text;

-- name: client_by_id
select c.*
  from client_facts c
 where c.id = $1::bigint;

-- name: client_insert
-- role: ccs_owner ccs_admin
insert into client (accountcode, name, did, phone_number, allocated_channels, rate_limit, calls_per_second,
                    requests_per_minute, weight, callbackurl, timezone, region, active_time_start, active_time_end,
                    auto_dispatch, is_active, status, asyncdatabaseurl, syncdatabaseurl, number_check, allowed_regions,
                    allowed_types, daily_caps, retention_days, calling_days, callee_zone, retry, attempts_per_number_per_day,
                    record, amd, allowed_contexts)
values ($1::text, $2::text, $3::text, $4::text, $5::bigint, $6::bigint, nullif($7::bigint, 0), $8::bigint, $9::bigint,
        nullif($10::text, ''), $11::text, $12::text, $13::text::time, $14::text::time,
        coalesce($15::boolean, false), coalesce($16::boolean, true), coalesce($17::text::client_status, 'active'),
        nullif($18::bytea, ''), nullif($19::bytea, ''), nullif($20::text, ''), nullif($21::text[], '{}'),
        nullif($22::text[], '{}'), nullif($23::text[], '{}'), nullif($24::bigint, 0),
        nullif($25::text[], '{}'), coalesce($26::boolean, false), nullif($27::text[], '{}'), nullif($28::bigint, 0),
        coalesce($29::boolean, false), coalesce($30::boolean, false), nullif($31::text[], '{}'))
returning id;

-- name: client_update
-- role: ccs_owner ccs_admin
-- What is not given stays as it is; the rest as client_insert. No row: there is no such client.
update client
   set name = coalesce($2::text, name),
       did = coalesce($3::text, did),
       phone_number = coalesce($4::text, phone_number),
       allocated_channels = coalesce($5::bigint, allocated_channels),
       rate_limit = coalesce($6::bigint, rate_limit),
       calls_per_second = nullif(coalesce($7::bigint, calls_per_second), 0),
       requests_per_minute = coalesce($8::bigint, requests_per_minute),
       weight = coalesce($9::bigint, weight),
       callbackurl = nullif(coalesce($10::text, callbackurl), ''),
       timezone = coalesce($11::text, timezone),
       region = coalesce($12::text, region),
       active_time_start = coalesce($13::text::time, active_time_start),
       active_time_end = coalesce($14::text::time, active_time_end),
       auto_dispatch = coalesce($15::boolean, auto_dispatch),
       is_active = coalesce($16::boolean, is_active),
       status = coalesce($17::text::client_status, status),
       asyncdatabaseurl = nullif(coalesce($18::bytea, asyncdatabaseurl), ''),
       syncdatabaseurl = nullif(coalesce($19::bytea, syncdatabaseurl), ''),
       number_check = nullif(coalesce($20::text, number_check), ''),
       allowed_regions = nullif(coalesce($21::text[], allowed_regions), '{}'),
       allowed_types = nullif(coalesce($22::text[], allowed_types), '{}'),
       daily_caps = nullif(coalesce($23::text[], daily_caps), '{}'),
       retention_days = nullif(coalesce($24::bigint, retention_days), 0),
       calling_days = nullif(coalesce($25::text[], calling_days), '{}'),
       callee_zone = coalesce($26::boolean, callee_zone),
       retry = nullif(coalesce($27::text[], retry), '{}'),
       attempts_per_number_per_day = nullif(coalesce($28::bigint, attempts_per_number_per_day), 0),
       record = coalesce($29::boolean, record),
       amd = coalesce($30::boolean, amd),
       allowed_contexts = nullif(coalesce($31::text[], allowed_contexts), '{}'),
       updated_at = now()
 where accountcode = $1::text
returning id;

-- name: user_insert
-- role: ccs_owner ccs_admin
insert into app_user (client_id, username, password_hash) values ($1::bigint, $2::text, $3::text);

-- name: key_insert
-- role: ccs_owner ccs_admin ccs_api
-- Client 0: an administrator's, or, with a server $9, that one's. No row: that client has $8 good ones.
insert into api_key (client_id, digest, shown, name, expires_at, scopes, networks, server_id)
select nullif($1::bigint, 0), $2::bytea, $3::text, $4::text, now() + nullif($5::bigint, 0) * interval '1 day',
       string_to_array($6::text, ' '), string_to_array($7::text, ' ')::cidr[], nullif($9::bigint, 0)
 where $1 = 0
    or (select count(*) from api_key k
         where k.client_id = $1 and k.revoked_at is null
           and (k.expires_at is null or k.expires_at > now())) < $8::bigint
returning id, expires_at;

-- name: server_by_code
-- role: ccs_owner ccs_admin
select id from server where server_code = $1::text;

-- name: sandbox_open
-- role: ccs_owner ccs_admin ccs_api
-- The test account of client $1, made if there is none: id and account code.
select * from sandbox_open($1::bigint);

-- name: key_list
-- role: ccs_owner ccs_admin ccs_api
-- Keys of client $1 (null: of any, 0: administrators'), or that one of them with id $2; $3 of them behind the first $4, with $5
-- the newest first. Columns: how many there are in all, then of each; null where there is none on this page.
with asked as (
    select k.*
      from api_key k
     where ($1::bigint is null or k.client_id is not distinct from nullif($1, 0) and ($1 <> 0 or k.server_id is null or $2::bigint is not null))
       and ($2 is null or k.id = $2) and (current_client() is null or k.client_id = current_client())
), page as (
    select k.id, c.accountcode, k.name, k.shown, array_to_string(k.scopes, ' '), array_to_string(k.networks, ' '),
           k.created_at, k.expires_at, k.revoked_at, k.replaced_at,
           case when k.revoked_at is not null then 'revoked'
                when k.expires_at <= now() then 'expired'
                when k.replaced_at is not null then 'replaced'
                else 'active' end,
           k.client_id, k.last_used_at, s.server_code
      from asked k
      left join client c on c.id = k.client_id
      left join server s on s.id = k.server_id
     order by case when $5::boolean then -k.id else k.id end
     limit $3::bigint offset $4::bigint
)
select (select count(*) from asked), page.* from (select) one left join page on true
 order by case when $5 then -page.id else page.id end;

-- name: key_end
-- role: ccs_owner ccs_admin ccs_api
-- Key $1 of client $2 (0: an administrator's) is good no more; $3 did it. Columns: was it good before, and the control row
-- that makes the dispatcher read it (0: it need not know). No row: there is no such key.
with found as (
    select id, shown, revoked_at is null as is_good from api_key
     where id = $1::bigint and client_id is not distinct from nullif($2::bigint, 0)
       and (current_client() is null or client_id = current_client())
), ended as (
    update api_key k set revoked_at = now() from found where k.id = found.id and found.is_good returning k.id
), recorded as (
    insert into audit (actor, action, subject, detail)
    select $3::text, 'key.revoke', $4::text, jsonb_build_object('key_id', found.id, 'shown', found.shown)
      from found join ended on true
), told as (
    insert into control (client_id, kind) select $2, 'reload' from ended where $2 > 0
    returning id, pg_notify('ccs', '') is null
)
select found.is_good, coalesce(told.id, 0) from found left join told on true;

-- name: key_replace
-- role: ccs_api ccs_owner ccs_admin
-- A new key in the place of the one with id $2, or (0) of all. It lives as long as that one was made for and may do the same;
-- in the place of all it may do all. The old ones are good for $5 seconds more; with $6 all sessions of the client's users are over. Columns: when the new key expires, until
-- when the old ones are good, the control row that makes the dispatcher read it. No row: key $2 has a successor already.
with model as (
    select name, expires_at - created_at as life, case when $2 > 0 then scopes end as scopes,
           case when $2 > 0 then networks end as networks, server_id
      from api_key
     where client_id is not distinct from nullif($1::bigint, 0) and case when $2::bigint > 0 then id = $2 else revoked_at is null and replaced_at is null end
     order by id desc
     limit 1
), old as (
    update api_key
       set replaced_at = coalesce(replaced_at, now()),
           expires_at = case when $5::bigint > 0 then least(expires_at, now() + $5 * interval '1 second') else expires_at end,
           revoked_at = case when $5 = 0 then now() end
     where client_id is not distinct from nullif($1, 0) and revoked_at is null and coalesce(expires_at > now(), true)
       and ($2 = 0 or id = $2 and replaced_at is null)
    returning expires_at, revoked_at
), added as (
    insert into api_key (client_id, digest, shown, name, expires_at, scopes, networks, server_id)
    select nullif($1, 0), $3::bytea, $4::text, coalesce(m.name, 'default'), now() + m.life,
           coalesce(m.scopes, '{read,dial,admin}'), coalesce(m.networks, '{}'), m.server_id
      from (select where $2 = 0 or exists (select from old)) asked left join model m on true
    returning expires_at, id
), signed_out as (
    update user_session s set ended_at = now()
      from app_user u, added
     where $6::boolean and u.id = s.user_id and u.client_id = $1 and s.ended_at is null
), recorded as (
    insert into audit (actor, action, subject, detail)
    select $8::text, 'key.replace', $7::text, jsonb_build_object('shown', $4, 'old_key_seconds', $5, 'sessions', $6)
      from added
), told as (
    insert into control (client_id, kind) select $1, 'reload' from added where $1 > 0
    returning id, pg_notify('ccs', '') is null
)
select added.expires_at, (select max(expires_at) from old where revoked_at is null), coalesce(told.id, 0), added.id
  from added left join told on true;

-- name: key_revoke
-- role: ccs_api
-- Key $2, or (0) all keys of the client, are good no more. Columns: how many, and the control row; no row: there was none.
with ended as (
    update api_key set revoked_at = now() where client_id = $1::bigint and revoked_at is null and $2::bigint in (0, id)
    returning id
), counted as (
    select count(*) as n from ended having count(*) > 0
), recorded as (
    insert into audit (actor, action, subject, detail)
    select 'client:' || $3::text, 'key.revoke', $3, jsonb_build_object('keys', n) from counted
), told as (
    insert into control (client_id, kind) select $1, 'reload' from counted returning id, pg_notify('ccs', '') is null
)
select counted.n, told.id from counted, told;

-- name: timezone_exists
-- role: ccs_owner ccs_admin
-- By name only: abbreviations and "UTC+3" know nothing of daylight saving.
select exists (select from pg_timezone_names where name = $1::text);

-- name: server_insert
-- role: ccs_owner ccs_admin
-- The flag says that the channel needs an endpoint and there is none.
insert into server (server_code, host, port, ami_user, ami_secret, channel_template, allowed_active_calls, rate_limit,
                    calls_per_second, default_directory, recording_directory, extension, status,
                    provided_prefix, context, allocated_dids, provided_endpoints, tls, tls_verify, tls_ca, tls_name,
                    count_foreign_calls, offered_contexts)
values ($1::text, $2::text, $3::bigint, $4::text, $5::bytea, $6::text, $7::bigint, $8::bigint, nullif($9::bigint, 0),
        coalesce($10::text, '/var/spool/asterisk/monitor'), coalesce($11::text, '/var/spool/asterisk/recordings'),
        coalesce($12::text, 's'), coalesce($13::text::server_status, 'active'),
        coalesce($14::text[], '{}'), coalesce($15::text[], '{default}'), coalesce($16::text[], '{}'),
        coalesce($17::text[], '{}'), coalesce($18::boolean, false), coalesce($19::boolean, true),
        nullif($20::text, ''), nullif($21::text, ''), coalesce($22::boolean, false), coalesce($23::text[], '{}'))
returning id, channel_template like '%{endpoint}%' and provided_endpoints = '{}';

-- name: server_update
-- role: ccs_owner ccs_admin
-- What is not given stays as it is; the rest as server_insert. No row: there is no such server.
update server
   set host = coalesce($2::text, host),
       port = coalesce($3::bigint, port),
       ami_user = coalesce($4::text, ami_user),
       ami_secret = coalesce($5::bytea, ami_secret),
       channel_template = coalesce($6::text, channel_template),
       allowed_active_calls = coalesce($7::bigint, allowed_active_calls),
       rate_limit = coalesce($8::bigint, rate_limit),
       calls_per_second = nullif(coalesce($9::bigint, calls_per_second), 0),
       default_directory = coalesce($10::text, default_directory),
       recording_directory = coalesce($11::text, recording_directory),
       extension = coalesce($12::text, extension),
       status = coalesce($13::text::server_status, status),
       provided_prefix = coalesce($14::text[], provided_prefix),
       context = coalesce($15::text[], context),
       allocated_dids = coalesce($16::text[], allocated_dids),
       provided_endpoints = coalesce($17::text[], provided_endpoints),
       tls = coalesce($18::boolean, tls),
       tls_verify = coalesce($19::boolean, tls_verify),
       tls_ca = nullif(coalesce($20::text, tls_ca), ''),
       tls_name = nullif(coalesce($21::text, tls_name), ''),
       count_foreign_calls = coalesce($22::boolean, count_foreign_calls),
       offered_contexts = coalesce($23::text[], offered_contexts),
       updated_at = now()
 where server_code = $1::text
returning id, channel_template like '%{endpoint}%' and provided_endpoints = '{}';

-- name: allocation_insert
-- role: ccs_owner ccs_admin
-- No row: client or server does not exist.
insert into allocation (client_id, server_id, allowed_active_calls, rate_limit, calls_per_second, status, allocated_dids,
                        automatic)
select c.id, s.id, coalesce($3::bigint, 0), coalesce($4::bigint, 0), nullif($5::bigint, 0),
       coalesce($6::text::server_status, 'active'), coalesce($7::text[], '{}'), coalesce($8::boolean, false)
  from client c, server s
 where c.accountcode = $1::text and s.server_code = $2::text
returning client_id, server_id;

-- name: allocation_update
-- role: ccs_owner ccs_admin
-- What is not given stays as it is; a share with a figure of its own is automatic no more.
update allocation
   set allowed_active_calls = coalesce($3::bigint, allowed_active_calls),
       rate_limit = coalesce($4::bigint, rate_limit),
       calls_per_second = nullif(coalesce($5::bigint, calls_per_second), 0),
       status = coalesce($6::text::server_status, status),
       allocated_dids = coalesce($7::text[], allocated_dids),
       automatic = coalesce($8::boolean, automatic and $3 is null and $4 is null),
       updated_at = now()
 where client_id = $1::bigint and server_id = $2::bigint;

-- name: allocation_sides
-- role: ccs_owner ccs_admin
select exists (select from client where accountcode = $1::text), exists (select from server where server_code = $2::text);

-- name: shares_read
-- role: ccs_api ccs_owner ccs_admin
-- What the shares of a client follow from (registry/setup.h), held until the transaction ends.
select * from shares_read($1::bigint);

-- name: shares_write
-- role: ccs_api ccs_owner ccs_admin
select shares_write($1::bigint, $2::bigint[], $3::bigint[], $4::bigint[]);

-- name: allocations_of_client
-- role: ccs_api ccs_owner
select a.client_id, a.server_id, a.allowed_active_calls, a.rate_limit, a.calls_per_second, a.status::text,
       s.id, s.server_code, s.host, s.port, s.status::text, s.allowed_active_calls, s.rate_limit, s.calls_per_second
  from allocation a
  join server s on s.id = a.server_id
 where a.client_id = $1::bigint
 order by s.server_code;

-- name: allocated_servers
-- role: ccs_api
-- What a client may know of its shares. A share takes calls only while both sides of it do: the more closed of the two is
-- what counts. Numbers to be shown are the share's own, if it has any.
select s.server_code, a.allowed_active_calls::bigint, a.rate_limit::bigint, greatest(a.status, s.status)::text,
       s.default_directory, s.recording_directory, s.provided_prefix, s.context,
       case when a.allocated_dids = '{}' then s.allocated_dids else a.allocated_dids end, s.provided_endpoints
  from allocation a
  join server s on s.id = a.server_id
 where a.client_id = $1::bigint
 order by s.server_code;

-- name: change_reload
-- role: ccs_api ccs_owner ccs_admin
-- A control row that makes the dispatcher read a client again (0: everything), and the NOTIFY that wakes it.
with added as (insert into control (client_id, kind) values (nullif($1::bigint, 0), 'reload') returning id)
select added.id from added, pg_notify('ccs', '');

-- name: audit_insert
-- role: ccs_owner ccs_api ccs_login ccs_admin
insert into audit (actor, action, subject, detail) values ($1::text, $2::text, $3::text, $4::text::jsonb);

-- name: halt_set
-- role: ccs_owner
-- Stops the dialling of the client with account code $1 (null: of all): the control row, and whether that is news. No row: there
-- is no such client.
with target as (
    select null::bigint as id where $1::text is null
    union all
    select id from client where accountcode = $1
), held as (
    insert into halt (client_id, actor, reason) select id, $2::text, $3::text from target
    on conflict (coalesce(client_id, 0)) do nothing
    returning 1
), told as (
    insert into control (client_id, kind) select id, 'halt' from target returning id
)
select told.id, (select count(*) from held) from told, pg_notify('ccs', '');

-- name: halt_lift
-- role: ccs_owner
with target as (
    select null::bigint as id where $1::text is null
    union all
    select id from client where accountcode = $1
), lifted as (
    delete from halt h using target t where h.client_id is not distinct from t.id returning 1
), told as (
    insert into control (client_id, kind) select id, 'lift' from target returning id
)
select told.id, (select count(*) from lifted) from told, pg_notify('ccs', '');

-- name: halt_list
-- role: ccs_owner
select coalesce(c.accountcode, ''), h.since, h.actor, h.reason
  from halt h left join client c on c.id = h.client_id
 order by c.accountcode nulls first;

-- name: control_is_done
-- role: ccs_owner
select done_at is not null from control where id = $1::bigint;
