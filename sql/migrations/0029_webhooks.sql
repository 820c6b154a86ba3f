-- What ccs-courier takes to clients: each client's position in its events, what has to be sent again, the secrets that sign,
-- and a log of deliveries.

-- A client with a callbackurl. Its events up to seq are delivered, or stand in webhook_retry.
create table webhook (
    client_id    bigint primary key references client,
    seq          bigint not null,
    disabled_at  timestamptz, -- the receiver has answered 410: nothing is sent until callbackurl is set anew
    disabled_why text
);

-- What signs: sealed (common/secret.h). The one without an end is the present one, another is good until its end.
create table webhook_secret (
    id         bigint generated always as identity primary key,
    client_id  bigint not null references client,
    sealed     bytea not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz
);
create unique index webhook_secret_present on webhook_secret (client_id) where expires_at is null;
create index webhook_secret_of_client on webhook_secret (client_id);

-- An event that could not be delivered, or that waits behind one of the same call. seq below 0: a test, no event.
alter table webhook_retry
    add column entry_id bigint,
    add column first_at timestamptz not null default now(),
    add column dead_at timestamptz, -- given up; a replay tries again
    add column status integer,      -- of the last answer; null: none came
    add column error text;
drop index if exists webhook_retry_due;
create index webhook_retry_due on webhook_retry (client_id, due_at) where dead_at is null;
create index webhook_retry_of_call on webhook_retry (client_id, entry_id, seq) where dead_at is null;
create sequence webhook_test_seq as bigint;

-- Each attempt to deliver. Kept for [courier] log_days.
create table webhook_delivery (
    id        bigint generated always as identity primary key,
    client_id bigint not null,
    seq       bigint not null,
    attempt   integer not null,
    at        timestamptz not null,
    ms        integer not null,
    status    integer,      -- of the answer; null: none came
    outcome   text not null check (outcome in ('delivered', 'retry', 'dead')),
    error     text
);
create index webhook_delivery_of_client on webhook_delivery (client_id, id);
create index webhook_delivery_at on webhook_delivery using brin (at);

-- A position begins where the client's events are when its address is set, and ends with it.
create function webhook_follow() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.callbackurl is null then
        delete from webhook_retry where client_id = new.id;
        delete from webhook where client_id = new.id;
    else
        insert into webhook (client_id, seq)
        values (new.id, coalesce((select s.seq from client_seq s where s.client_id = new.id), 0))
        on conflict (client_id) do update set disabled_at = null, disabled_why = null;
    end if;
    perform pg_notify('ccs_courier', '');
    return null;
end
$$;
create trigger webhook_begins after insert on client
    for each row when (new.callbackurl is not null) execute function webhook_follow();
create trigger webhook_changes after update of callbackurl on client
    for each row when (old.callbackurl is distinct from new.callbackurl) execute function webhook_follow();
insert into webhook (client_id, seq)
select c.id, coalesce(s.seq, 0) from client c left join client_seq s on s.client_id = c.id where c.callbackurl is not null;

do $$
declare
    walled text;
begin
    foreach walled in array array['webhook', 'webhook_secret', 'webhook_retry', 'webhook_delivery'] loop
        execute format('alter table %I enable row level security', walled);
        execute format('create policy tenant on %I to ccs_api using (client_id = current_client())', walled);
        execute format('create policy all_tenants on %I to ccs_courier using (true) with check (true)', walled);
    end loop;
    foreach walled in array array['event', 'client_seq', 'entry'] loop
        execute format('create policy all_tenants_courier on %I for select to ccs_courier using (true)', walled);
    end loop;
end
$$;

grant usage on schema public to ccs_courier;
grant select on schema_version, event, client_seq to ccs_courier;
grant select (entry_id, client_id, custom_data) on entry to ccs_courier;
grant select (id, accountcode, callbackurl) on client to ccs_courier;
grant select, update (seq, disabled_at, disabled_why) on webhook to ccs_courier;
grant select on webhook_secret to ccs_courier;
grant select, insert, update, delete on webhook_retry to ccs_courier;
grant select, insert, delete on webhook_delivery to ccs_courier;

grant select on webhook, webhook_delivery to ccs_api;
grant select, insert, update (due_at, dead_at, attempts, first_at) on webhook_retry to ccs_api;
grant select (id, client_id, created_at, expires_at), insert (client_id, sealed), update (expires_at), delete
    on webhook_secret to ccs_api;
grant usage on webhook_test_seq to ccs_api;
