-- What a client does with its callbackurl: registry/webhook.c.
-- role: ccs_api ccs_owner

-- name: webhook_state
select json_build_object(
         'callbackurl', coalesce(c.callbackurl, ''),
         'state', case when w.client_id is null then 'off' when w.disabled_at is not null then 'disabled' else 'active' end,
         'disabled_why', w.disabled_why,
         'delivered_to', w.seq, 'last_seq', coalesce((select s.seq from client_seq s where s.client_id = c.id), 0),
         'waiting', (select count(*) from webhook_retry r where r.client_id = c.id and r.dead_at is null),
         'dead', (select count(*) from webhook_retry r where r.client_id = c.id and r.dead_at is not null),
         'next_attempt_at', (select to_char(min(r.due_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                               from webhook_retry r where r.client_id = c.id and r.dead_at is null),
         'secrets', (select coalesce(json_agg(json_build_object(
                              'id', k.id, 'created_at', to_char(k.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                              'expires_at', to_char(k.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
                              order by k.id desc), '[]')
                       from webhook_secret k where k.client_id = c.id and (k.expires_at is null or k.expires_at > now())))::text
  from client c
  left join webhook w on w.client_id = c.id
 where c.id = $1::bigint and (current_client() is null or c.id = current_client());

-- name: webhook_deliveries
-- Those of client $1 with an id below $2, of outcome $3, $4 of them.
select d.id, json_build_object(
         'id', d.id,
         'event_id', d.client_id || case when d.seq < 0 then '-test-' else '-' end || abs(d.seq),
         'seq', case when d.seq > 0 then d.seq end, 'attempt', d.attempt,
         'at', to_char(d.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'duration_ms', d.ms,
         'status', d.status, 'outcome', d.outcome, 'error', d.error)::text
  from webhook_delivery d
 where d.client_id = $1::bigint and ($2::bigint is null or d.id < $2) and ($3::text is null or d.outcome = $3)
 order by d.id desc
 limit $4::bigint;

-- name: webhook_secrets_retire
-- The present one is good for $2 seconds more, an older one no longer. Until when, or null.
with retired as (
    update webhook_secret
       set expires_at = case when expires_at is null then now() + $2::bigint * interval '1 second' else now() end
     where client_id = $1::bigint and (expires_at is null or expires_at > now())
    returning expires_at
)
select max(expires_at) from retired;

-- name: webhook_secret_add
with added as (insert into webhook_secret (client_id, sealed) values ($1::bigint, $2::bytea) returning id)
select added.id from added, pg_notify('ccs_courier', '');

-- name: webhook_test
with added as (
    insert into webhook_retry (client_id, seq, due_at)
    select w.client_id, -nextval('webhook_test_seq'), now() from webhook w where w.client_id = $1::bigint
    returning -seq as number
)
select added.number from added, pg_notify('ccs_courier', '');

-- name: webhook_replay
-- Events of client $1 from seq $2 to $3 are sent again, as far as they were sent before. How many; no row: it has no callbackurl.
with asked as (
    select e.seq, e.entry_id
      from webhook w
      join event e on e.client_id = w.client_id and e.seq between $2::bigint and least($3::bigint, w.seq)
     where w.client_id = $1::bigint
     order by e.seq
     limit 10000
), added as (
    insert into webhook_retry as r (client_id, seq, entry_id, due_at) select $1, seq, entry_id, now() from asked
    on conflict (client_id, seq) do update set due_at = now(), dead_at = null, attempts = 0, first_at = now()
    returning 1
)
select (select count(*) from added) from webhook w, pg_notify('ccs_courier', '') where w.client_id = $1;

-- name: webhook_replay_dead
with revived as (
    update webhook_retry set due_at = now(), dead_at = null, attempts = 0, first_at = now()
     where client_id = $1::bigint and seq > 0 and dead_at is not null
       and seq in (select seq from webhook_retry d where d.client_id = $1 and d.seq > 0 and d.dead_at is not null
                    order by seq limit 10000)
    returning 1
)
select (select count(*) from revived) from webhook w, pg_notify('ccs_courier', '') where w.client_id = $1;
