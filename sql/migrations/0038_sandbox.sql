-- Test keys. What is sent with one belongs to a *test account*, a client of its own beside the live one, so that limits, reports, lists
-- and events are apart by what keeps clients apart; and its calls go to the sandbox, a server that the dispatcher plays itself
-- (dispatcher/player.h). Neither may have the other world's servers.
alter table client add column sandbox_of bigint unique references client; -- the live account; null: it is one
alter table server add column is_sandbox boolean not null default false;
create unique index server_sandbox on server (is_sandbox) where is_sandbox;

create function worlds_apart() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if (select c.sandbox_of is not null from client c where c.id = new.client_id)
       is distinct from (select s.is_sandbox from server s where s.id = new.server_id) then
        raise exception 'test accounts have the sandbox, and live accounts the other servers'
            using errcode = 'check_violation', constraint = 'worlds_apart';
    end if;
    return new;
end
$$;
create trigger worlds_apart before insert or update on allocation for each row execute function worlds_apart();

-- What is a test stays one.
create function world_is_kept() returns trigger language plpgsql as $$
begin
    raise exception 'a test account, and the sandbox, are made as such' using errcode = 'check_violation', constraint = 'world_is_kept';
end
$$;
create trigger world_is_kept before update of sandbox_of on client for each row
    when (old.sandbox_of is distinct from new.sandbox_of) execute function world_is_kept();
create trigger world_is_kept before update of is_sandbox on server for each row
    when (old.is_sandbox is distinct from new.is_sandbox) execute function world_is_kept();

-- The test account of a client, made when it is first asked for, with the sandbox if that is not there either; its id and account code.
-- Small limits, always open, dialled without being asked; which numbers it may call is as of the live account at that moment.
create function sandbox_open(whose bigint, out id bigint, out accountcode text)
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if current_client() is distinct from whose then
        raise exception 'this is another client''s' using errcode = 'insufficient_privilege';
    end if;
    perform from client c where c.id = whose for no key update;
    select c.id, c.accountcode into id, accountcode from client c where c.sandbox_of = whose or (c.id = whose and c.sandbox_of is not null);
    if found then
        return;
    end if;
    insert into server (server_code, host, port, ami_user, ami_secret, channel_template, allowed_active_calls, rate_limit, is_sandbox)
    values ('ccs-sandbox', 'sandbox.invalid', 1, 'nobody', '', 'Sandbox/{number}', 1000, 1000000, true)
    on conflict (is_sandbox) where is_sandbox do nothing;
    insert into client (name, accountcode, did, phone_number, allocated_channels, rate_limit, calls_per_second, timezone, region,
                        active_time_start, active_time_end, auto_dispatch, number_check, allowed_regions, allowed_types,
                        retention_days, sandbox_of)
    select left(c.name, 190) || ' (test)', left(c.accountcode, 35) || '.test', c.did, c.phone_number, 5, 1000, 5, c.timezone, c.region,
           '00:00', '00:00', false, c.number_check, c.allowed_regions, c.allowed_types, c.retention_days, c.id
      from client c where c.id = whose
    returning client.id, client.accountcode into id, accountcode;
    insert into allocation (client_id, server_id, allowed_active_calls, rate_limit)
    select sandbox_open.id, s.id, 5, 1000 from server s where s.is_sandbox;
    set constraints allocation_fits immediate; -- here, as its owner: who commits may not read what it compares
    set constraints allocation_fits deferred;
end
$$;
revoke all on function sandbox_open(bigint), worlds_apart() from public;
grant execute on function sandbox_open(bigint) to ccs_api, ccs_admin;
grant select (sandbox_of) on client to ccs_dispatcher;
grant select (is_sandbox) on server to ccs_dispatcher;

create or replace view client_facts as
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
           as holidays,
       c.sandbox_of is not null as is_test
  from client c;
