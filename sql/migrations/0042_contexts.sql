-- Where the answered calls of a batch go on: contexts of the dialplan that a client may ask for, and that a server has for those who
-- ask, beside those that it uses in turn (context).
alter table client
    add column allowed_contexts text[] -- null = none
        check (cardinality(allowed_contexts) > 0 and all_match(allowed_contexts, '^[A-Za-z0-9_-]{1,79}$'));
alter table server
    add column offered_contexts text[] not null default '{}'
        check (all_match(offered_contexts, '^[A-Za-z0-9_-]{1,79}$'));
grant select (allowed_contexts) on client to ccs_api, ccs_dispatcher;
grant select (offered_contexts) on server to ccs_api, ccs_dispatcher;

-- A batch of client $1 with settings $2 asks for a context that its client may not use, or that none of its servers has. As
-- route_known of dispatcher/route.h.
create function context_missing(bigint, jsonb) returns boolean language sql stable as $$
    select $2 ->> 'context' is not null
       and exists (select from allocation a where a.client_id = $1)
       and not (exists (select from client c where c.id = $1 and $2 ->> 'context' = any (c.allowed_contexts))
                and exists (select from allocation a join server s on s.id = a.server_id
                             where a.client_id = $1 and $2 ->> 'context' = any (s.context || s.offered_contexts)))
$$;
