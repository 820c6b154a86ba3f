-- A client's own database, for ccsctl: registry/client_database.c.
-- role: ccs_owner

-- name: client_database_state
select json_build_object(
         'copied_to', d.seq, 'last_seq', coalesce((select s.seq from client_seq s where s.client_id = d.client_id), 0),
         'calls', d.calls, 'stored_at', to_char(d.stored_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
         'error', d.error, 'error_at', to_char(d.error_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))::text
  from client_database d
 where d.client_id = $1::bigint;

-- name: client_database_addresses
select asyncdatabaseurl, syncdatabaseurl from client where id = $1::bigint;

-- name: client_database_replay
-- Back to position $2. No row: it is not that far, or there is none.
with changed as (
    update client_database set seq = $2::bigint where client_id = $1::bigint and seq > $2 returning client_id
)
select changed.client_id from changed, pg_notify('ccs_courier', '');
