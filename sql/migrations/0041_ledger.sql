-- The decision ledger: each dial that was allowed, each that was refused, and each that was taken back before it was written,
-- with what was known then. A row for each transaction of a dispatcher in which something was decided; a row's hash covers it
-- and the hash before it, so that whoever changes one has to make all later ones anew (registry/ledger.h verifies, also a copy
-- without any database). Numbers stand there as digests under the deployment's secret key: to erase a number changes nothing.
create table ledger (
    node      text not null,
    seq       bigint not null check (seq > 0),
    at        timestamptz not null,
    decisions text not null, -- a line for each
    before    bytea not null check (octet_length(before) = 32),
    hash      bytea not null check (octet_length(hash) = 32),
    primary key (node, seq, at)
) partition by range (at);

create table ledger_head (
    node   text primary key,
    seq    bigint not null,
    before bytea not null,
    hash   bytea not null
);

create function ledger_hash(before bytea, node text, seq bigint, lines text) returns bytea language sql stable as $$
    select sha256(before || convert_to(format(E'%s %s %s\n%s', node, seq, (extract(epoch from now()) * 1000000)::bigint, lines),
                                       'UTF8'))
$$;

-- Adds decisions of a node to its chain; nothing when there are none. One transaction of a node commits at a time.
create function ledger_add(of_node text, lines text) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    nothing constant bytea := decode(repeat('00', 32), 'hex');
    head    ledger_head;
begin
    if lines is null then
        return null;
    end if;
    insert into ledger_head as h values (of_node, 1, nothing, ledger_hash(nothing, of_node, 1, lines))
    on conflict (node) do update set seq = h.seq + 1, before = h.hash, hash = ledger_hash(h.hash, of_node, h.seq + 1, lines)
    returning * into head;
    insert into ledger (node, seq, at, decisions, before, hash) values (of_node, head.seq, now(), lines, head.before, head.hash);
    return head.seq;
end
$$;

-- Why a dispatcher ended an entry undialled: the gate, from the words of its reason.
create function refusing_gate(disposition text, reason text) returns text language sql immutable as $$
    select case when disposition = 'expired' then 'expired'
                when starts_with(reason, 'do not call: ') then 'dnc'
                when starts_with(reason, 'not allowed: did ') then 'did_denied'
                else 'number_denied' end
$$;

-- "ccs-000000000000040001", as everywhere.
create function call_name(entry_id bigint, n bigint) returns text language sql immutable as
    $$ select 'ccs-' || lpad(to_hex(entry_id), 14, '0') || lpad(to_hex(n), 2, '0') $$;

-- As in migration 0037, and what is taken back stands in the ledger.
create or replace function attempt_withdraw(entries bigint[], numbers bigint[], planned timestamptz[]) returns void
language sql security definer set search_path = public, pg_temp as $$
    with gone as (
        delete from attempt a
         using unnest(entries, numbers, planned) as p (entry_id, n, armed_at)
         where a.entry_id = p.entry_id and a.n = p.n and a.armed_at = p.armed_at
           and not exists (select from call_detail d where d.entry_id = p.entry_id and d.n = p.n)
        returning a.entry_id, a.n, a.client_id, a.node, a.armed_at, a.region
    ), told as (
        select ledger_add(g.node, string_agg('taken_back ' || call_name(g.entry_id, g.n) || ' client=' || g.client_id, E'\n'
                                             order by g.entry_id, g.n))
          from gone g group by g.node
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
       and (select count(*) from told) > 0
$$;

-- Not even its owner changes it by mistake; old weeks go whole.
create trigger append_only before update or delete or truncate on ledger
    for each statement execute function audit_refuse();

-- The last links, for the log.
create function ledger_anchors() returns table (node text, seq bigint, hash bytea)
language sql stable security definer set search_path = public, pg_temp as $$
    select h.node, h.seq, h.hash from ledger_head h order by h.node
$$;

-- Partitions by weeks of what is kept by time: this week's and the next. As in migration 0002.
create function weeks_advance(parents text[], week bigint) returns void language plpgsql as $$
declare
    parent text;
    leaf   text;
begin
    foreach parent in array parents loop
        for k in week .. week + 1 loop
            leaf := parent || '_p' || k;
            if to_regclass(leaf) is null then
                execute format('create table %I partition of %I for values from (%L) to (%L)', leaf, parent,
                               timestamptz '2026-01-05 00:00+00' + k * interval '7 days',
                               timestamptz '2026-01-05 00:00+00' + (k + 1) * interval '7 days');
            end if;
        end loop;
    end loop;
end
$$;

create or replace function partitions_advance(at timestamptz default now()) returns void
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
    end loop;
    perform weeks_advance(array['event', 'ledger'], week);
    if (select last_value from chunk_id_seq) < week << 30 then
        perform setval('chunk_id_seq', (week << 30) + 1, false);
    end if;
end
$$;
select partitions_advance();

-- Weeks of a table that are older than so many days go, as those of event did (migration 0027).
create function weeks_retire(parent regclass, days bigint, out dropped bigint)
language plpgsql set lock_timeout = '100ms' as $$
declare
    leaf text;
begin
    dropped := 0;
    for leaf in select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
                 where i.inhparent = parent and c.relname ~ '_p[0-9]+$'
                   and timestamptz '2026-01-05 00:00+00'
                       + (substring(c.relname from '[0-9]+$')::integer + 1) * interval '7 days'
                       < now() - make_interval(days => days::integer) loop
        begin
            execute format('drop table %I', leaf);
            dropped := dropped + 1;
        exception when lock_not_available then
            return;
        end;
    end loop;
end
$$;
create or replace function events_retire(days bigint, out dropped bigint)
language sql security definer set search_path = public, pg_temp as $$ select weeks_retire('event', days) $$;
create function ledger_retire(days bigint, out dropped bigint)
language sql security definer set search_path = public, pg_temp as $$ select weeks_retire('ledger', days) $$;

revoke all on function ledger_add(text, text), ledger_anchors(), weeks_advance(text[], bigint), weeks_retire(regclass, bigint),
    ledger_retire(bigint) from public;
grant execute on function ledger_add(text, text), ledger_anchors(), ledger_retire(bigint)
    to ccs_dispatcher;
