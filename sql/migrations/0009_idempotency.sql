-- Answers of requests that carried an Idempotency-Key, stored in the transaction of what they did. Good for 24 hours; the
-- dispatcher takes older ones away.
create table idempotency (
    client_id  bigint not null references client,
    key        text not null check (octet_length(key) between 1 and 255),
    request    bytea not null check (octet_length(request) = 32), -- digest of method, address and body
    answer     bytea not null,                                    -- JSON; encrypted (common/secret.h) where it is secret
    is_secret  boolean not null,
    created_at timestamptz not null default now(),
    primary key (client_id, key)
);
create index idempotency_age on idempotency (created_at);

alter table idempotency enable row level security;
create policy tenant on idempotency to ccs_api using (client_id = current_client());
create policy all_tenants on idempotency to ccs_dispatcher using (true);
grant select, insert, update on idempotency to ccs_api;
grant select (client_id, key, created_at), delete on idempotency to ccs_dispatcher;
