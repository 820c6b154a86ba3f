-- The peer's tables, as such systems have them: a status on every row, an index for whoever looks for work.
create table client (
    id bigint generated always as identity primary key,
    name text not null, accountcode text not null unique, key_digest bytea not null unique,
    did text not null, phone_number text not null, allocated_channels int not null, rate_limit int not null,
    callbackurl text not null, is_active boolean not null default true, status text not null default 'active',
    created_at timestamptz not null default now(), updated_at timestamptz not null default now()
);
insert into client (name, accountcode, key_digest, did, phone_number, allocated_channels, rate_limit, callbackurl)
select 'Company ' || i, 'ACC' || i, sha256(('key-' || i)::bytea), '01140000000', '01140000000', 100, 1000,
       'https://client.example/callback'
  from generate_series(1, 200) as i;

create table queue_master (
    id bigint generated always as identity primary key,
    client_id bigint not null references client, batch_id bigint, total int not null,
    status smallint not null default 0, created_at timestamptz not null default now()
);
create index on queue_master (client_id, id);

create table queue_entry (
    id bigint generated always as identity primary key,
    queue_master_id bigint not null, client_id bigint not null, phone_number text not null, e164 text, custom_data jsonb,
    status smallint not null default 0, created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index on queue_entry (queue_master_id, id);
create index on queue_entry (client_id, id) where status = 0;

create table cdr (
    id bigint generated always as identity primary key,
    client_id bigint not null, server_code text not null, phone_number text not null,
    started_at timestamptz not null, duration int not null, disposition smallint not null
);
