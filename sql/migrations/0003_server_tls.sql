-- The manager interface of a server over TLS. Its certificate is checked unless somebody says that it need not be.
alter table server
    add column tls        boolean not null default false,
    add column tls_verify boolean not null default true,
    -- A file of certificates on the node that vouch for the server; null = the system's.
    add column tls_ca     text check (octet_length(tls_ca) between 2 and 200 and tls_ca ~ '^/[A-Za-z0-9/_.-]+$'),
    -- What the certificate must be for; null = host.
    add column tls_name   text check (tls_name ~ '^[A-Za-z0-9_.:-]{1,253}$');
