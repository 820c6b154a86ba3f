-- Calling hours by weekday, holidays, and the zone of who is called. The rule stands here; shm/calling_time.h tells from it
-- when a client may call, in the system's time zones.

alter table client
    add column calling_days text[] -- null = every day, from active_time_start to active_time_end
        check (cardinality(calling_days) > 0 and all_match(calling_days,
            '^(mon|tue|wed|thu|fri|sat|sun)(:([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?$')),
    add column callee_zone boolean not null default false; -- hours are those of the number's zone, not of the client's
grant select (calling_days, callee_zone) on client to ccs_api, ccs_dispatcher;

-- Days on which nobody calls: of one client, or of all clients of a region and, where the callee's zone counts, of all numbers
-- of it.
create table holiday (
    id        bigint generated always as identity primary key,
    client_id bigint references client,
    region    text check (region ~ '^[A-Z]{2}$'),
    day       date not null check (day between '2000-01-01' and '2199-12-31'),
    name      text not null default '' check (octet_length(name) <= 100 and name !~ '[[:cntrl:]]'),
    check ((client_id is null) <> (region is null)),
    unique nulls not distinct (client_id, region, day)
);
create index holiday_region on holiday (region, day) where region is not null;
alter table holiday enable row level security;
create policy tenant on holiday to ccs_api using (client_id is null or client_id = current_client());
create policy all_tenants on holiday to ccs_dispatcher using (true);
create policy administration on holiday to ccs_admin using (true) with check (true);
grant select on holiday to ccs_api, ccs_dispatcher;
grant select, insert, delete on holiday to ccs_admin;

drop view client_facts;
drop function calling_window;

-- What programs know of a client, in the order of struct shm_client; read by position (registry/client.c, client_from_row;
-- dispatcher/directory.c). Its hours are seconds of the local day; its holidays, as far as a rule reaches (CALLING_HOLIDAYS), are
-- days from 1970-01-01 on.
create view client_facts as
select c.id, c.name, c.accountcode, c.did, c.phone_number, c.callbackurl, c.timezone, c.region,
       c.allocated_channels, c.rate_limit, c.calls_per_second, c.requests_per_minute,
       coalesce(c.weight, greatest(c.allocated_channels, 1)) as weight, c.status::text as status, c.is_active,
       c.auto_dispatch, extract(epoch from c.active_time_start)::bigint as opens_s,
       extract(epoch from c.active_time_end)::bigint as closes_s, c.created_at, c.updated_at,
       coalesce(c.number_check, '') as number_check, coalesce(array_to_string(c.allowed_regions, ' '), c.region) as allowed_regions,
       coalesce(array_to_string(c.allowed_types, ' '), 'default') as allowed_types,
       coalesce(array_to_string(c.calling_days, ' '), '') as calling_days, c.callee_zone,
       coalesce((select string_agg((h.day - date '1970-01-01')::text, ' ')
                   from (select day from holiday where client_id = c.id
                         union
                         select day from holiday where region = c.region) h
                  where h.day between (now() at time zone 'UTC')::date - 3 and (now() at time zone 'UTC')::date + 512), '')
           as holidays
  from client c;
grant select on client_facts to ccs_api, ccs_dispatcher;
