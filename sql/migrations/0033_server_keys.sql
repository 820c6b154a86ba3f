-- Keys of Asterisk servers: what a dialplan asks about the calls that are live on its server. They are nobody's else, and made by
-- administrators only; a server that is deleted takes them along.
alter table api_key
    add column server_id bigint references server on delete cascade,
    drop constraint api_key_scopes_check,
    add constraint api_key_scopes_check
        check (cardinality(scopes) > 0 and array_position(scopes, null) is null
               and case when server_id is null then scopes <@ '{read,dial,admin}' else scopes = '{server}' and client_id is null end);
create index api_key_server on api_key (server_id) where server_id is not null;
grant insert (server_id) on api_key to ccs_api;
