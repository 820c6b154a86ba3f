-- What concerns the connection itself.

-- name: session_client
-- role: ccs_api ccs_owner ccs_admin
-- From here to the end of the transaction, row-level security shows this client's rows only, and what is recorded came from
-- this address.
select set_config('ccs.client_id', $1::bigint::text, true), set_config('ccs.address', $2::text, true);
