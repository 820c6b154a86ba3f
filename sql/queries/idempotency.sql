-- Requests that may be repeated: fcgi/idempotency.c. A stored answer is good for 24 hours.

-- name: idempotency_find
-- role: ccs_api
-- Takes the key until the end of the transaction, if nobody has it, and finds the answer of an earlier request. Columns: is
-- it ours, then of the answer, null without one: digest of the request, answer, is it secret. What was stored while the key
-- was being taken is found by idempotency_store.
select pg_try_advisory_xact_lock(hashtextextended('ccs.idempotency ' || $1::bigint || ' ' || $2::text, 0)),
       i.request, i.answer, i.is_secret
  from (select) one
  left join idempotency i on i.client_id = $1 and i.key = $2 and i.created_at > now() - interval '24 hours';

-- name: idempotency_store
-- role: ccs_api
-- No row: another request has stored its answer under this key.
insert into idempotency as i (client_id, key, request, answer, is_secret)
values ($1::bigint, $2::text, $3::bytea, $4::bytea, $5::boolean)
on conflict (client_id, key) do update
   set request = excluded.request, answer = excluded.answer, is_secret = excluded.is_secret, created_at = now()
 where i.created_at <= now() - interval '24 hours'
returning true;

-- name: idempotency_expire
-- role: ccs_dispatcher
delete from idempotency
 where (client_id, key) in (select client_id, key
                              from idempotency
                             where created_at <= now() - interval '24 hours'
                             order by created_at
                             limit 20000);
