-- The table into which ccs copies finished calls, in a client's own database (docs/INTEGRATORS.md). `ccsctl client-db check`
-- makes it; whoever makes it himself may add columns that have defaults, indexes and foreign keys.
create table if not exists ccs_calls (
    event_id      text primary key,   -- the id of the event, everywhere
    seq           bigint not null,    -- of the event
    call_id       text not null,
    attempt       integer not null,   -- 0: never dialled
    is_final      boolean not null,   -- there will be no other attempt
    accountcode   text not null,
    batch_id      bigint,
    phone_number  text not null,
    server_code   text,
    did           text,
    disposition   text not null,
    hangup_cause  integer,
    reason        text,
    started_at    timestamptz,
    answered_at   timestamptz,
    ended_at      timestamptz not null,
    duration      numeric(12,3) not null, -- seconds, dial to hang-up
    billsec       numeric(12,3) not null, -- seconds, answer to hang-up
    recording_url text,
    custom_data   json,
    stored_at     timestamptz not null default now()
);
create index if not exists ccs_calls_by_call on ccs_calls (call_id);
create index if not exists ccs_calls_by_end on ccs_calls (ended_at);
