-- Numbers: how they are checked, which of them a client may call, what the numbering plan says about an entry, and how many
-- calls a client has begun today.

alter table client
    add column number_check    text check (number_check in ('syntax', 'full')), -- null = the configuration's
    add column allowed_regions text[] -- null = its own
        check (cardinality(allowed_regions) > 0 and all_match(allowed_regions, '^([A-Z]{2}|001|all)$')),
    add column allowed_types   text[] -- shm/number_type.def; null = default
        check (cardinality(allowed_types) > 0 and all_match(allowed_types,
            '^(all|default|mobile|fixed_line|fixed_or_mobile|toll_free|voip|personal|pager|uan|voicemail|premium|'
            'shared_cost|satellite|short)$')),
    add column daily_caps      text[] -- null = none
        check (cardinality(daily_caps) > 0 and all_match(daily_caps, '^([A-Z]{2}|001|other|all):[0-9]{1,9}$'));

grant select (daily_caps) on client to ccs_api, ccs_dispatcher;

-- What programs know of a client, in the order of struct shm_client; read by position (registry/client.c, client_from_row;
-- dispatcher/directory.c).
create view client_facts as
select c.id, c.name, c.accountcode, c.did, c.phone_number, c.callbackurl, c.timezone, c.region,
       c.allocated_channels, c.rate_limit, c.calls_per_second, c.requests_per_minute,
       coalesce(c.weight, greatest(c.allocated_channels, 1)) as weight, c.status::text as status, c.is_active,
       c.auto_dispatch, w.open_at, w.close_at, c.created_at, c.updated_at, coalesce(c.number_check, '') as number_check,
       coalesce(array_to_string(c.allowed_regions, ' '), c.region) as allowed_regions,
       coalesce(array_to_string(c.allowed_types, ' '), 'default') as allowed_types
  from client c
 cross join calling_window(now(), c.timezone, c.active_time_start, c.active_time_end) w;
grant select on client_facts to ccs_api, ccs_dispatcher;

alter table entry
    add column number_type smallint, -- shm/number_type.def, from 0; null: not looked up
    add column region      text;     -- ISO 3166, or 001: no country; null: not known

-- Calls begun on a local day of the client, by region of the number ('': not known): what daily caps are held against.
create table rollup_region (
    client_id  bigint not null,
    local_date date not null,
    region     text not null,
    calls      bigint not null default 0,
    primary key (client_id, local_date, region)
);
alter table rollup_region enable row level security;
create policy tenant on rollup_region to ccs_api using (client_id = current_client());
create policy all_tenants on rollup_region to ccs_dispatcher using (true) with check (true);
grant select on rollup_region to ccs_api;
grant select, insert, update on rollup_region to ccs_dispatcher;

-- The local day that holds an instant, and when it ends. Null and never in a zone that PostgreSQL does not know (any more):
-- calling_window opens for nobody there.
create function local_day(at timestamptz, zone text, out day date, out ends_at timestamptz)
language plpgsql stable as $$
begin
    day := (at at time zone zone)::date;
    ends_at := (day + 1)::timestamp at time zone zone;
exception when invalid_parameter_value then
    day := null;
    ends_at := 'infinity';
end
$$;
