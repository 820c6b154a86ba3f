-- Who may call what: clients, their users and keys, Asterisk servers, allocations; and the nodes that dial.

create type client_status as enum ('active', 'paused', 'suspended');
create type server_status as enum ('active', 'draining', 'disabled');

-- Every element of a list has this form; none is null.
create function all_match(list text[], form text) returns boolean language sql immutable
    as $$ select coalesce(bool_and(coalesce(item ~ form, false)), true) from unnest(list) item $$;

create table client (
    id                  bigint generated always as identity primary key,
    name                text not null check (octet_length(name) between 1 and 200 and name !~ '[[:cntrl:]]'),
    accountcode         text not null unique check (accountcode ~ '^[A-Za-z0-9_.-]{1,40}$'),
    did                 text not null check (did ~ '^\+?[0-9]{1,20}$'),
    phone_number        text not null check (phone_number ~ '^\+?[0-9]{1,20}$'),
    allocated_channels  integer not null check (allocated_channels between 0 and 100000),
    rate_limit          integer not null check (rate_limit between 0 and 100000000), -- Originates an hour
    calls_per_second    integer check (calls_per_second > 0),                          -- null = no limit of its own
    requests_per_minute integer check (requests_per_minute > 0),                       -- API requests; null = the configuration's
    weight              integer check (weight > 0),                                    -- fair share; null = allocated_channels
    callbackurl         text check (octet_length(callbackurl) <= 500),
    timezone            text not null check (octet_length(timezone) between 1 and 63),
    region              text not null check (region ~ '^[A-Z]{2}$'),
    active_time_start   time not null, -- local time of day; equal to the end = always, after the end = over midnight
    active_time_end     time not null,
    auto_dispatch       boolean not null default false,
    is_active           boolean not null default true,
    status              client_status not null default 'active',
    asyncdatabaseurl    bytea, -- encrypted: common/secret.h
    syncdatabaseurl     bytea,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now()
);

create table app_user (
    id            bigint generated always as identity primary key,
    client_id     bigint not null references client,
    username      text not null unique check (username ~ '^[^[:cntrl:][:space:]]{1,64}$'),
    password_hash text not null check (password_hash like '$y$%'), -- yescrypt, crypt(5)
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now()
);

create index app_user_client on app_user (client_id);

create table api_key (
    id           bigint generated always as identity primary key,
    client_id    bigint not null references client,
    digest       bytea not null unique check (octet_length(digest) = 32), -- SHA-256 of the key
    shown        text not null,                                           -- its first characters, to tell keys apart
    name         text not null default 'default' check (octet_length(name) between 1 and 100),
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
create index api_key_client on api_key (client_id);

-- A running dispatcher. The epoch grows with every start: what an earlier life left behind is recognised by it.
create table node (
    name       text primary key check (name ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    epoch      bigint not null default 0,
    started_at timestamptz not null default now()
);

create table server (
    id                   bigint generated always as identity primary key,
    server_code          text not null unique check (server_code ~ '^[A-Za-z0-9_.-]{1,40}$'),
    host                 text not null check (host ~ '^[A-Za-z0-9_.:-]{1,253}$'),
    port                 integer not null check (port between 1 and 65535),
    ami_user             text not null check (ami_user ~ '^[A-Za-z0-9_.-]{1,60}$'),
    ami_secret           bytea not null, -- encrypted: common/secret.h
    ami_md5              boolean not null default true, -- log in by challenge, never with the secret in clear
    channel_template     text not null check (octet_length(channel_template) <= 120 and
                             channel_template ~ '^[A-Za-z0-9/@{}+_.:*#-]+$' and
                             channel_template ~ '\{(number|national|e164|\+e164)\}'),
    allowed_active_calls integer not null check (allowed_active_calls between 0 and 100000),
    rate_limit           integer not null check (rate_limit between 0 and 100000000), -- Originates an hour
    calls_per_second     integer check (calls_per_second > 0),
    default_directory    text not null default '/var/spool/asterisk/monitor',
    recording_directory  text not null default '/var/spool/asterisk/recordings',
    provided_prefix      text[] not null default '{}' check (all_match(provided_prefix, '^[0-9+*#]{1,10}$')),
    context              text[] not null default '{default}'
                             check (cardinality(context) > 0 and all_match(context, '^[A-Za-z0-9_-]{1,79}$')),
    extension            text not null default 's' check (extension ~ '^[A-Za-z0-9_*#+-]{1,40}$'),
    allocated_dids       text[] not null default '{}' check (all_match(allocated_dids, '^\+?[0-9]{1,20}$')),
    provided_endpoints   text[] not null default '{}'
                             check (all_match(provided_endpoints, '^[A-Za-z0-9_.-]{1,80}$')),
    status               server_status not null default 'active',
    owner_node           text references node,
    owner_epoch          bigint,
    lease_until          timestamptz,
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now(),
    check ((owner_node is null) = (owner_epoch is null))
);

create table allocation (
    client_id            bigint not null references client,
    server_id            bigint not null references server,
    allowed_active_calls integer not null check (allowed_active_calls between 0 and 100000),
    rate_limit           integer not null check (rate_limit between 0 and 100000000),
    calls_per_second     integer check (calls_per_second > 0),
    allocated_dids       text[] not null default '{}' check (all_match(allocated_dids, '^\+?[0-9]{1,20}$')), -- empty = the server's
    status               server_status not null default 'active',
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now(),
    primary key (client_id, server_id)
);
create index allocation_server on allocation (server_id);

-- The sums of a client's allocations never exceed the client: checked at commit, so that one transaction may shrink
-- here and grow there.
create function allocation_fits() returns trigger language plpgsql as $$
declare
    over record;
begin
    -- One after the other: two transactions that each fit alone may not fit together.
    perform from client c
      where c.id = (to_jsonb(new) ->> tg_argv[0])::bigint for no key update;
    select c.accountcode, c.allocated_channels, c.rate_limit,
           sum(a.allowed_active_calls) as channels, sum(a.rate_limit) as rate
      into over
      from client c join allocation a on a.client_id = c.id
     where c.id = (to_jsonb(new) ->> tg_argv[0])::bigint
     group by c.id
    having sum(a.allowed_active_calls) > c.allocated_channels or sum(a.rate_limit) > c.rate_limit;
    if found then
        raise exception 'allocations of % sum to % channels and % calls an hour; the client has % and %',
            over.accountcode, over.channels, over.rate, over.allocated_channels, over.rate_limit
            using errcode = 'check_violation', constraint = 'allocation_fits';
    end if;
    return null;
end
$$;
create constraint trigger allocation_fits after insert or update on allocation
    deferrable initially deferred for each row execute function allocation_fits('client_id');
create constraint trigger client_fits after update of allocated_channels, rate_limit on client
    deferrable initially deferred for each row execute function allocation_fits('id');

-- The calling window that holds an instant, or the next one. Equal times = always open; a start after the end wraps
-- midnight. A zone that PostgreSQL does not know (any more) never opens: one client's trouble must not be everybody's.
create function calling_window(at timestamptz, zone text, opens time, closes time,
                               out open_at timestamptz, out close_at timestamptz)
language plpgsql stable as $$
declare
    day date;
begin
    day := (at at time zone zone)::date - 1;
    if opens = closes then
        open_at := '-infinity';
        close_at := 'infinity';
        return;
    end if;
    loop
        open_at := (day + opens) at time zone zone;
        close_at := (day + closes + case when opens > closes then interval '1 day' else interval '0' end)
                    at time zone zone;
        exit when close_at > at and close_at > open_at;
        day := day + 1;
    end loop;
exception when invalid_parameter_value then
    open_at := 'infinity';
    close_at := 'infinity';
end
$$;

-- Nobody but the owner makes anything in this database, not even a temporary table.
revoke all on schema public from public;
grant usage on schema public to ccs_api, ccs_dispatcher;
grant select on schema_version to ccs_api, ccs_dispatcher;
do $$
begin
    execute format('revoke temporary on database %I from public', current_database());
end
$$;

-- Not the secrets: neither database addresses of clients, nor AMI logins, nor password hashes.
grant select (id, name, accountcode, did, phone_number, allocated_channels, rate_limit, calls_per_second,
    requests_per_minute, weight, callbackurl, timezone, region, active_time_start, active_time_end, auto_dispatch,
    is_active, status, created_at, updated_at) on client to ccs_api, ccs_dispatcher;
grant select on allocation, api_key to ccs_api;
grant select (id, server_code, host, port, allowed_active_calls, rate_limit, calls_per_second, default_directory,
    recording_directory, provided_prefix, context, allocated_dids, provided_endpoints, status) on server to ccs_api;
grant select on api_key, allocation to ccs_dispatcher;
grant select, update (owner_node, owner_epoch, lease_until) on server to ccs_dispatcher;
grant select, insert, update on node to ccs_dispatcher;
grant update (last_used_at) on api_key to ccs_dispatcher;
