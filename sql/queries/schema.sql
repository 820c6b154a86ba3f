-- The schema's own version: sql/migrate.c.

-- name: schema_make
-- role: ccs_owner
create table if not exists schema_version (
    number     integer primary key,
    name       text not null,
    applied_at timestamptz not null default now()
);

-- name: schema_lock
-- role: ccs_owner
-- One migration at a time, whoever starts it, until the end of the transaction.
select true from pg_advisory_xact_lock(hashtext('ccs.migrate'));

-- name: schema_exists
-- role: ccs_api ccs_dispatcher ccs_owner
select to_regclass('schema_version') is not null;

-- name: schema_number
-- role: ccs_api ccs_dispatcher ccs_owner
select coalesce(max(number), 0) from schema_version;

-- name: schema_add
-- role: ccs_owner
insert into schema_version (number, name) values ($1::bigint, $2::text);

-- name: schema_partitions
-- role: ccs_owner
select true from partitions_advance();

-- name: connections
-- role: ccs_owner
-- How many there may be, without those kept for superusers (and, from PostgreSQL 16 on, for others).
select current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
       - coalesce(current_setting('reserved_connections', true), '0')::bigint;
