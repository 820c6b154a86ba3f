-- The life of calls. Entries, attempts, details and events are written once and never updated; what changes is small:
-- chunks, retries, sequences, rollups.
--
-- entry_id = chunk_id * 1024 + position. chunk_id = week << 30 + n, where week counts from 2026-01-05 (a Monday):
-- ids stay below 2^53, and the partition of an entry is entry_id >> 40.

create type disposition as enum ('completed', 'busy', 'no_answer', 'rejected', 'invalid', 'congestion', 'failed',
                                 'canceled', 'expired', 'suppressed', 'unknown');

-- A batch, as the document's "queue master". A quick call has none.
create table queue_master (
    id             bigint generated always as identity primary key,
    client_id      bigint not null references client,
    batch_id       bigint not null check (batch_id between 1 and 9007199254740991),
    content        bytea not null,              -- digest of the JSON values, to know the same batch again
    inserted_count integer not null check (inserted_count >= 0),
    rejected       text not null default '[]',  -- JSON array as it was answered
    created_at     timestamptz not null default now(),
    dispatched_at  timestamptz,
    unique (client_id, batch_id),
    unique (client_id, id)                      -- what a chunk refers to
);

-- At most 1,024 entries of one batch: the unit of claiming, closing, sweeping and recovery.
create table chunk (
    id              bigint primary key,
    client_id       bigint not null references client,
    queue_master_id bigint,                         -- null: a quick call
    entry_count     integer not null check (entry_count between 1 and 1024),
    created_at      timestamptz not null default now(),
    dispatched_at   timestamptz,                    -- null: not yet to be dialled
    owner_node      text,
    owner_epoch     bigint,
    closed_at       timestamptz,
    closed_as       text check (closed_as in ('done', 'canceled', 'expired')),
    check ((owner_node is null) = (owner_epoch is null)),
    check ((closed_at is null) = (closed_as is null)),
    foreign key (client_id, queue_master_id) references queue_master (client_id, id)
);
create index chunk_open on chunk (client_id, id) where closed_at is null;
create index chunk_of_queue_master on chunk (queue_master_id) where queue_master_id is not null;

create sequence chunk_id_seq as bigint;

create table entry (
    entry_id        bigint not null,
    client_id       bigint not null,
    queue_master_id bigint,
    phone_number    text not null,  -- as given
    number          text not null,  -- without blanks, dashes, dots, parentheses
    e164            text,           -- without '+'; null when no plan knows it
    country_digits  smallint,                                          -- how many digits of e164 are the country code
    custom_data     text,           -- the JSON object exactly as it was sent
    -- 3 to 15 digits; written without a regular expression, which was more than half of what a COPY cost.
    constraint entry_number check (case rtrim(number, '0123456789') when '' then length(number) between 3 and 15
                                        when '+' then length(number) between 4 and 16 else false end),
    constraint entry_e164 check (rtrim(e164, '0123456789') = '' and length(e164) between 3 and 15),
    primary key (entry_id)
) partition by range (entry_id);

-- The journal: committed before the Originate is sent.
create table attempt (
    entry_id        bigint not null,
    n               smallint not null check (n between 1 and 255), -- two hex digits of the call id
    client_id       bigint not null,
    queue_master_id bigint,
    server_id       bigint not null,
    did             text not null,
    node            text not null,
    epoch           bigint not null,
    armed_at        timestamptz not null,
    primary key (entry_id, n)
) partition by range (entry_id);
-- The last hour of it is read at every start: appended in order of time, so a few pages of index do.
create index attempt_recent on attempt using brin (armed_at);

-- What became of an attempt, or (n = 0) of an entry that was never dialled.
create table call_detail (
    entry_id        bigint not null,
    n               smallint not null check (n between 0 and 255),
    client_id       bigint not null,
    queue_master_id bigint,
    server_id       bigint,
    did             text,
    disposition     disposition not null,
    hangup_cause    smallint,
    reason          text not null,
    is_final        boolean not null,
    estimated       boolean not null default false, -- the end was not seen, only that the call was gone
    started_at      timestamptz not null,
    answered_at     timestamptz,
    ended_at        timestamptz not null,
    duration_ms     bigint not null check (duration_ms >= 0), -- dial to hang-up
    billsec_ms      bigint not null check (billsec_ms >= 0),  -- answer to hang-up
    primary key (entry_id, n)
) partition by range (entry_id);
create unique index call_detail_final on call_detail (entry_id) where is_final;
create index call_detail_client on call_detail (client_id, started_at);
create index call_detail_queue_master on call_detail (queue_master_id) where queue_master_id is not null;

create table client_seq (
    client_id bigint primary key references client,
    seq       bigint not null default 0
);

create table event (
    client_id   bigint not null,
    seq         bigint not null,
    type        text not null,
    occurred_at timestamptz not null,
    entry_id    bigint,
    n           smallint,
    payload     text not null, -- JSON object
    primary key (client_id, seq, occurred_at)
) partition by range (occurred_at);
-- An event is the same event when it is written again after a crash: see dispatcher/journal.c.
create unique index event_of_attempt on event (entry_id, n, type, occurred_at);

-- What an operator or a client wants done; the dispatcher acknowledges it.
create table control (
    id         bigint generated always as identity primary key,
    client_id  bigint references client, -- null: all
    kind       text not null check (kind in ('dispatch', 'reload')),
    args       jsonb not null default '{}',
    created_at timestamptz not null default now(),
    done_at    timestamptz
);
create index control_open on control (id) where done_at is null;

create table retry (
    entry_id bigint primary key,
    due_at   timestamptz not null
);
create index retry_due on retry (due_at);

create table webhook_retry (
    client_id bigint not null references client,
    seq       bigint not null,
    attempts  integer not null default 0,
    due_at    timestamptz not null,
    primary key (client_id, seq)
);

create table audit (
    id        bigint generated always as identity primary key,
    at        timestamptz not null default now(),
    actor     text not null,
    action    text not null,
    subject   text not null,
    detail    jsonb not null default '{}'
);

-- Finished attempts by local hour of their start, in the client's zone.
create table rollup_hour (
    client_id   bigint not null,
    server_id   bigint not null, -- 0: never dialled
    local_date  date not null,
    local_hour  smallint not null check (local_hour between 0 and 23),
    calls       bigint not null default 0,
    completed   bigint not null default 0,
    duration_ms bigint not null default 0,
    billsec_ms  bigint not null default 0,
    primary key (client_id, local_date, local_hour, server_id)
);

create table rollup_batch (
    queue_master_id bigint not null references queue_master,
    disposition     disposition not null,
    entries         bigint not null default 0,
    primary key (queue_master_id, disposition)
);

-- Partitions: this week's and the next, and the sequence moved into this week's range. Idempotent, cheap; called by
-- `ccsctl db migrate` and hourly by the dispatcher, which may not create tables itself.
create function partitions_advance(at timestamptz default now()) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    week   bigint := floor(extract(epoch from (at - timestamptz '2026-01-05 00:00+00')) / (7 * 86400));
    parent text;
    leaf   text;
begin
    perform pg_advisory_xact_lock(hashtext('ccs.partitions'));
    for k in week .. week + 1 loop
        foreach parent in array array['entry', 'attempt', 'call_detail'] loop
            leaf := parent || '_p' || k;
            if to_regclass(leaf) is null then
                execute format('create table %I partition of %I for values from (%s) to (%s)',
                               leaf, parent, k::bigint << 40, (k + 1)::bigint << 40);
                if parent = 'entry' then
                    execute format('grant insert on %I to ccs_api', leaf);
                end if;
            end if;
        end loop;
        leaf := 'event_p' || k;
        if to_regclass(leaf) is null then
            execute format('create table %I partition of event for values from (%L) to (%L)', leaf,
                           timestamptz '2026-01-05 00:00+00' + k * interval '7 days',
                           timestamptz '2026-01-05 00:00+00' + (k + 1) * interval '7 days');
        end if;
    end loop;
    if (select last_value from chunk_id_seq) < week << 30 then
        perform setval('chunk_id_seq', (week << 30) + 1, false);
    end if;
end
$$;

select partitions_advance();

-- Row-level security: a second wall behind the API's own checks. Unset = no row.
create function current_client() returns bigint language sql stable
    as $$ select nullif(current_setting('ccs.client_id', true), '')::bigint $$;

do $$
declare
    walled text;
begin
    foreach walled in array array['allocation', 'queue_master', 'chunk', 'entry', 'attempt', 'call_detail', 'event', 'client_seq',
                                'control', 'rollup_hour'] loop
        execute format('alter table %I enable row level security', walled);
        execute format('create policy tenant on %I to ccs_api using (client_id = current_client())', walled);
        execute format('create policy all_tenants on %I to ccs_dispatcher using (true) with check (true)', walled);
    end loop;
end
$$;
alter table rollup_batch enable row level security;
create policy tenant on rollup_batch to ccs_api
    using (exists (select from queue_master m where m.id = queue_master_id and m.client_id = current_client()));
create policy all_tenants on rollup_batch to ccs_dispatcher using (true) with check (true);

alter table server enable row level security;
create policy tenant on server to ccs_api
    using (exists (select from allocation a where a.server_id = server.id and a.client_id = current_client()));
create policy all_tenants on server to ccs_dispatcher using (true) with check (true);

grant select, insert on queue_master, chunk, entry to ccs_api;
grant update (dispatched_at) on queue_master, chunk to ccs_api;
grant select on attempt, call_detail, event, client_seq, rollup_hour, rollup_batch to ccs_api;
grant select, insert on control to ccs_api;
grant usage on chunk_id_seq to ccs_api;

grant select on queue_master, entry to ccs_dispatcher;
grant select, update on chunk to ccs_dispatcher;
grant select, insert on attempt, call_detail, event to ccs_dispatcher;
grant select, insert, update on client_seq, rollup_hour, rollup_batch to ccs_dispatcher;
grant select, update (done_at) on control to ccs_dispatcher;
grant select, insert, delete, update on retry to ccs_dispatcher;
revoke all on function partitions_advance(timestamptz) from public;
grant execute on function partitions_advance(timestamptz) to ccs_dispatcher;
