-- What a key may do, and administrators: users and keys that are no client's. The role ccs_admin comes from
-- `ccsctl db roles`, which is run before this.
alter table api_key
    add column scopes text[] not null default '{read,dial,admin}'
        constraint api_key_scopes_check check (cardinality(scopes) > 0 and scopes <@ '{read,dial,admin}'
                                               and array_position(scopes, null) is null),
    alter column client_id drop not null;

alter table app_user
    add column role text not null default 'client' constraint app_user_role_check check (role in ('client', 'admin')),
    alter column client_id drop not null,
    add constraint app_user_role_fits check ((role = 'admin') = (client_id is null));

-- A client's key gives none that it has not made: its own, of its own client. An administrator's are ccs_admin's business.
grant insert (scopes) on api_key to ccs_api;

-- The processes that answer administrators. Of secrets they write what they are told and read what is encrypted; password
-- hashes they write only.
grant select, insert, update on client, server, allocation, api_key to ccs_admin;
grant insert (client_id, username, password_hash, role), update (username, password_hash, session_version, updated_at),
    select (id, client_id, username, role, session_version, created_at, updated_at) on app_user to ccs_admin;
grant update (ended_at) on user_session to ccs_admin;
grant select, insert, delete on halt to ccs_admin;
do $$
declare
    walled text;
begin
    foreach walled in array array['allocation', 'queue_master', 'chunk', 'entry', 'attempt', 'call_detail', 'event',
                                'client_seq', 'control', 'rollup_hour', 'rollup_batch', 'rollup_queue', 'rollup_region',
                                'api_key', 'server'] loop
        execute format('create policy administered on %I to ccs_admin using (true) with check (true)', walled);
    end loop;
end
$$;
