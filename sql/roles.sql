-- The roles of ccs, made once by a superuser: psql -v ON_ERROR_STOP=1 -f roles.sql
-- (`ccsctl db roles` prints this text; running it again, after an upgrade, adds what is new.) Then: createdb --owner=ccs_owner ccs; ccsctl db migrate
--
--   ccs_owner       owns the schema: migrations, ccsctl
--   ccs_api         the API workers: reads one tenant at a time (row-level security), inserts work, never updates a call
--   ccs_login       the API workers that check passwords: ccs_api, and the only one that reads and changes their hashes
--   ccs_admin       the API workers that answer administrators: ccs_api, and it changes clients, users, keys, servers, allocations
--   ccs_dispatcher  claims chunks, journals attempts, writes details, rollups and events
--   ccs_courier     reads events of all clients, keeps what has to be delivered to them
--   ccs_report      nobody by itself: logins of other programs are its members and read views (docs/SQL.md)
do $$
declare
    role_name text;
begin
    foreach role_name in array array['ccs_owner', 'ccs_api', 'ccs_login', 'ccs_admin', 'ccs_dispatcher', 'ccs_courier'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I login', role_name);
        end if;
    end loop;
    grant ccs_api to ccs_login, ccs_admin;
    if not exists (select from pg_roles where rolname = 'ccs_report') then
        create role ccs_report nologin;
    end if;
    -- PostgreSQL's own log gets no values of rows: neither "Failing row contains" nor the line of a COPY.
    foreach role_name in array array['ccs_owner', 'ccs_api', 'ccs_login', 'ccs_admin', 'ccs_dispatcher', 'ccs_courier'] loop
        execute format('alter role %I set log_error_verbosity = terse', role_name);
    end loop;
    -- What the last moments of a crash take away is delivered again.
    alter role ccs_courier set synchronous_commit = off;
end
$$;
