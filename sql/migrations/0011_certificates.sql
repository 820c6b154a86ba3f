-- TLS client certificates that stand for a client, beside its API keys. nginx verifies them; we know them by their SHA-256.
create table client_certificate (
    fingerprint bytea primary key check (octet_length(fingerprint) = 32),
    client_id   bigint not null references client,
    subject     text not null,
    not_after   timestamptz not null,
    created_at  timestamptz not null default now()
);
create index client_certificate_client on client_certificate (client_id);
grant select on client_certificate to ccs_api, ccs_dispatcher;
