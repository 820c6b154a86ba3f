-- Calling again: which ends of an attempt are not the last, where entries wait for their next one, and how often a number may be
-- called on a day.
alter table client
    add column retry                       text[] -- shm/redial.h; null = every end is final
        check (cardinality(retry) between 1 and 4
               and all_match(retry, '^(busy|no_answer|congestion|failed):[0-9]{1,2}:[0-9]{1,6}(:(fixed|linear|exponential))?$')),
    add column attempts_per_number_per_day integer check (attempts_per_number_per_day between 1 and 255); -- null = no limit
grant select (retry, attempts_per_number_per_day) on client to ccs_api, ccs_dispatcher;

-- How many may follow; null: it was the last.
alter table call_detail add column attempts_left smallint;

-- A line is what one batch has, or (0) the quick calls of a client.
drop index retry_due;
alter table retry
    add column client_id       bigint not null references client,
    add column queue_master_id bigint not null;
create index retry_line on retry (client_id, queue_master_id, due_at);
alter table retry enable row level security;
create policy tenant on retry to ccs_api using (client_id = current_client());
create policy all_tenants on retry to ccs_dispatcher using (true) with check (true);
grant select on retry to ccs_api;

-- How many entries of a batch wait so: counted where they come and go.
create table rollup_retry (
    queue_master_id bigint primary key references queue_master,
    entries         bigint not null
);
alter table rollup_retry enable row level security;
create policy tenant on rollup_retry to ccs_api
    using (exists (select from queue_master m where m.id = queue_master_id and m.client_id = current_client()));
grant select on rollup_retry to ccs_api;

create function retry_count() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into rollup_retry as r (queue_master_id, entries)
    select queue_master_id, case tg_op when 'INSERT' then count(*) else -count(*) end
      from changed where queue_master_id > 0 group by 1 order by 1
    on conflict (queue_master_id) do update set entries = r.entries + excluded.entries;
    return null;
end
$$;
revoke all on function retry_count() from public;
create trigger counted_in after insert on retry
    referencing new table as changed for each statement execute function retry_count();
create trigger counted_out after delete on retry
    referencing old table as changed for each statement execute function retry_count();

-- A chunk of which nothing is left but entries that wait for their next attempt: neither swept nor in memory. The index of open
-- chunks passes over it.
alter table chunk add column rests boolean not null default false;
drop index chunk_open;
create index chunk_open on chunk (client_id, id) where closed_at is null and not rests;
create index chunk_resting on chunk (client_id, queue_master_id) where closed_at is null and rests;

-- Whoever cancels a batch wakes its chunks, for the dispatcher to close.
create function chunks_wake() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update chunk set rests = false
     where client_id = new.client_id and queue_master_id = new.id and closed_at is null and rests;
    return null;
end
$$;
revoke all on function chunks_wake() from public;
create trigger woken after update of canceled_at on queue_master
    for each row when (old.canceled_at is null and new.canceled_at is not null) execute function chunks_wake();

-- Calls to one number on a client's day, of clients that limit them: counted with the journal. Kept for two days.
create table number_day (
    client_id  bigint not null references client,
    local_date date not null,
    number     text not null, -- E.164 without '+', else as it is dialled
    attempts   integer not null,
    primary key (client_id, local_date, number)
);
grant select, insert, update, delete on number_day to ccs_dispatcher;

-- A number that is erased is counted no more.
create function number_day_forget() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from number_day where client_id = old.client_id and number = coalesce(old.e164, old.number);
    return null;
end
$$;
revoke all on function number_day_forget() from public;
create trigger forgotten after update of number on entry for each row execute function number_day_forget();

-- As in migration 0013; and what is taken back was no call of its number's day, either.
create or replace function attempt_withdraw(entries bigint[], numbers bigint[], planned timestamptz[]) returns void
language sql security definer set search_path = public, pg_temp as $$
    with gone as (
        delete from attempt a
         using unnest(entries, numbers, planned) as p (entry_id, n, armed_at)
         where a.entry_id = p.entry_id and a.n = p.n and a.armed_at = p.armed_at
           and not exists (select from call_detail d where d.entry_id = p.entry_id and d.n = p.n)
        returning a.entry_id, a.client_id, a.armed_at, a.region
    ), of_numbers as (
        update number_day d set attempts = d.attempts - g.calls
          from (select o.client_id, (o.armed_at at time zone c.timezone)::date as local_date, coalesce(e.e164, e.number) as number,
                       count(*) as calls
                  from gone o join client c on c.id = o.client_id join entry e on e.entry_id = o.entry_id
                 where c.attempts_per_number_per_day is not null
                 group by 1, 2, 3) g
         where d.client_id = g.client_id and d.local_date = g.local_date and d.number = g.number
    )
    update rollup_region r set calls = r.calls - g.calls
      from (select o.client_id, (o.armed_at at time zone c.timezone)::date as local_date, o.region, count(*) as calls
              from gone o join client c on c.id = o.client_id
             group by 1, 2, 3) g
     where r.client_id = g.client_id and r.local_date = g.local_date and r.region = g.region
$$;
