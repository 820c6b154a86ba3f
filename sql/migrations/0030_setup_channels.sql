-- Shares that follow from what the account and the servers have (registry/setup.h), beside those that an administrator has set.
alter table allocation add column automatic boolean not null default false;

-- What the shares of a client follow from; nobody else changes them until the transaction ends. One row with no server when it
-- has none. A tenant's process may not see what others have: only how much that is on each of its own servers.
create function shares_read(whose bigint,
                            out accountcode text, out allocated_channels bigint, out rate_limit bigint, out server_id bigint,
                            out server_code text, out takes_calls boolean, out automatic boolean, out channels bigint,
                            out rate bigint, out server_channels bigint, out server_rate bigint, out of_others bigint)
returns setof record language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if current_client() is distinct from whose then
        raise exception 'this is another client''s' using errcode = 'insufficient_privilege';
    end if;
    perform from client c where c.id = whose for no key update;
    return query
    select c.accountcode, c.allocated_channels::bigint, c.rate_limit::bigint, s.id, s.server_code,
           greatest(a.status, s.status) = 'active', a.automatic, a.allowed_active_calls::bigint, a.rate_limit::bigint,
           s.allowed_active_calls::bigint, s.rate_limit::bigint,
           (select coalesce(sum(o.allowed_active_calls), 0) from allocation o
             where o.server_id = s.id and o.client_id <> whose and o.status = 'active')::bigint
      from client c
      left join (allocation a join server s on s.id = a.server_id) on a.client_id = c.id
     where c.id = whose
     order by s.server_code;
end
$$;

-- Writes shares that are automatic, and no others; which of them are news is counted. The sums are checked here, as its owner,
-- because whoever commits may not read what they are checked against.
create function shares_write(whose bigint, servers bigint[], channels bigint[], rates bigint[]) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    changed bigint;
begin
    if current_client() is distinct from whose then
        raise exception 'this is another client''s' using errcode = 'insufficient_privilege';
    end if;
    update allocation a
       set allowed_active_calls = n.channels, rate_limit = n.rate, updated_at = now()
      from unnest(servers, channels, rates) n(server_id, channels, rate)
      join server s on s.id = n.server_id
     where a.client_id = whose and a.server_id = n.server_id and a.automatic
       and n.channels <= s.allowed_active_calls and n.rate <= s.rate_limit
       and (a.allowed_active_calls, a.rate_limit) is distinct from (n.channels, n.rate);
    get diagnostics changed = row_count;
    set constraints allocation_fits immediate;
    set constraints allocation_fits deferred;
    return changed;
end
$$;

revoke all on function shares_read(bigint), shares_write(bigint, bigint[], bigint[], bigint[]) from public;
grant execute on function shares_read(bigint), shares_write(bigint, bigint[], bigint[], bigint[]) to ccs_api, ccs_admin;
