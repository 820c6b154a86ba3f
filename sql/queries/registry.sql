-- Who may call what. Columns of a client, in this order everywhere, are read by registry/client.c: client_from_row.
-- role: ccs_api ccs_owner

-- name: client_by_accountcode
select c.id from client c where c.accountcode = $1::text;
