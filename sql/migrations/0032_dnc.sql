-- Numbers that must not be called: everybody's list (client_id 0), one of each client (queue_master_id 0), one of each batch.
-- Whether a number is on one is asked by key: a list has ten million numbers and more.

create table dnc_list (
    client_id       bigint not null,           -- 0: everybody's
    queue_master_id bigint not null default 0, -- 0: the client's own
    version         bigint not null check (version > 0), -- grows with each change
    numbers         bigint not null check (numbers >= 0),
    changed_at      timestamptz not null default now(),
    primary key (client_id, queue_master_id),
    check (client_id <> 0 or queue_master_id = 0)
);

create table dnc_number (
    client_id       bigint not null,
    queue_master_id bigint not null,
    number          text collate "C" not null -- digits: E.164, or as they were given where numbers are checked by syntax only
                    check (rtrim(convert_to(number, 'UTF8'), '0123456789') = '' and octet_length(number) between 3 and 15),
    source          text not null check (source in ('api', 'file', 'operator', 'call')),
    added_by        text not null, -- as audit.actor; of a call its id
    added_at        timestamptz not null default now(),
    primary key (client_id, queue_master_id, number)
);

-- A client sees and changes its own; of everybody's list only that there is one.
do $$
declare
    walled text;
begin
    foreach walled in array array['dnc_list', 'dnc_number'] loop
        execute format('alter table %I enable row level security', walled);
        execute format('create policy tenant on %I to ccs_api using (client_id = current_client())
                            with check (client_id = current_client()
                                        and (queue_master_id = 0
                                             or exists (select from queue_master q
                                                         where q.id = queue_master_id and q.client_id = current_client())))',
                       walled);
        execute format('create policy administered on %I to ccs_admin using (true) with check (true)', walled);
        execute format('create policy all_tenants on %I to ccs_dispatcher using (true) with check (true)', walled);
    end loop;
end
$$;
create policy everybodys on dnc_list for select to ccs_api using (client_id = 0);
grant select, insert on dnc_list, dnc_number to ccs_api, ccs_dispatcher;
grant update on dnc_list to ccs_api, ccs_dispatcher;
grant delete on dnc_number to ccs_api;

alter table control
    drop constraint control_kind_check,
    add constraint control_kind_check
        check (kind in ('dispatch', 'reload', 'pause', 'resume', 'cancel', 'hangup', 'halt', 'lift', 'dnc'));

-- How many entries of a batch were on a list when it came in.
alter table queue_master add column suppressed_count integer not null default 0;

-- Which of these numbers of clients and batches (null: none) are on a list, by position, and on which. One piece of code for
-- what comes in, for what is dialled and for those who ask; planned for tables that were empty a minute ago, too.
create function dnc_listed(clients bigint[], masters bigint[], numbers text[]) returns table (ord bigint, list text)
language plpgsql stable security definer set search_path = public, pg_temp set enable_seqscan = off as $$
begin
    return query
    with lists as materialized (
        select l.client_id, l.queue_master_id,
               case when l.client_id = 0 then 'everybody' when l.queue_master_id = 0 then 'client' else 'batch' end as list
          from dnc_list l
         where l.numbers > 0
           and (l.client_id = 0 or l.client_id = any (clients) and (l.queue_master_id = 0 or l.queue_master_id = any (masters)))
    )
    select p.ord, f.list
      from unnest(clients, masters, numbers) with ordinality as p (client_id, queue_master_id, number, ord)
     cross join lateral (
         select l.list
           from lists l
          where l.client_id in (0, p.client_id) and (l.queue_master_id = 0 or l.queue_master_id = p.queue_master_id)
            and exists (select from dnc_number d
                         where d.client_id = l.client_id and d.queue_master_id = l.queue_master_id and d.number = p.number)
          order by l.client_id, l.queue_master_id
          limit 1) f;
end
$$;

-- The same for the client whose connection it is, and one of its batches.
create function dnc_mine(master bigint, numbers text[]) returns table (ord bigint, list text)
language sql stable security definer set search_path = public, pg_temp as $$
    select * from dnc_listed(array_fill(current_client(), array[coalesce(cardinality(numbers), 0)]),
                             array_fill(master, array[coalesce(cardinality(numbers), 0)]), numbers)
$$;

-- The same of one number, for that client or an operator.
create function dnc_of(whose bigint, master bigint, number text) returns text
language sql stable security definer set search_path = public, pg_temp as $$
    select l.list from dnc_listed(array[whose], array[master], array[number]) l
     where current_client() = whose or not pg_has_role(session_user, 'ccs_api', 'member')
$$;

-- Of new entries of a client, those that are on a list end here, undialled. Their ids.
create function dnc_end(whose bigint, entries bigint[], masters bigint[], numbers text[]) returns table (entry_id bigint)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
begin
    if current_client() is distinct from whose then
        raise exception 'this is another client''s' using errcode = 'insufficient_privilege';
    end if;
    return query
    with listed as (
        select entries[l.ord] as entry_id, masters[l.ord] as queue_master_id, numbers[l.ord] as number, l.list
          from dnc_listed(array_fill(whose, array[cardinality(entries)]), masters, numbers) l
         where not exists (select from entry e where e.entry_id = entries[l.ord] and e.client_id <> whose)
    ), added as (
        insert into call_detail (entry_id, n, client_id, queue_master_id, disposition, reason, is_final, started_at, ended_at,
                                 duration_ms, billsec_ms, number)
        select entry_id, 0, whose, queue_master_id, 'suppressed', 'do not call: ' || list, true, now(), now(), 0, 0, number
          from listed
        on conflict do nothing
        returning call_detail.entry_id, call_detail.queue_master_id
    ), batches as (
        insert into rollup_batch as r (queue_master_id, disposition, entries)
        select queue_master_id, 'suppressed', count(*) from added where queue_master_id is not null group by 1
        on conflict (queue_master_id, disposition) do update set entries = r.entries + excluded.entries
    )
    select entry_id from added;
end
$$;

-- The same for the entries of new chunks, each of the batch beside it, which remembers how many there were. Of each such batch
-- that number.
create function dnc_end_chunks(whose bigint, chunks bigint[], batches bigint[])
returns table (batch_id bigint, suppressed bigint)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
    counts bigint[] := '{}';
    ended  bigint;
begin
    if current_client() is distinct from whose then
        raise exception 'this is another client''s' using errcode = 'insufficient_privilege';
    end if;
    for i in 1 .. cardinality(chunks) loop
        select count(d.entry_id) into ended
          from (select array_agg(e.entry_id) as entries, array_agg(e.queue_master_id) as masters,
                       array_agg(coalesce(e.e164, ltrim(e.number, '+'))) as numbers
                  from entry e
                 where e.entry_id between chunks[i] * 1024 and chunks[i] * 1024 + 1023 and e.client_id = whose) a
         cross join lateral dnc_end(whose, a.entries, a.masters, a.numbers) d
         where a.entries is not null;
        counts := counts || ended;
    end loop;
    return query
    update queue_master m set suppressed_count = m.suppressed_count + c.n
      from (select p.batch_id, sum(p.n)::integer as n from unnest(batches, counts) as p (batch_id, n) group by 1) c
     where m.client_id = whose and m.batch_id = c.batch_id and c.n > 0
    returning m.batch_id, c.n::bigint;
end
$$;
revoke all on function dnc_listed(bigint[], bigint[], text[]), dnc_mine(bigint, text[]),
    dnc_of(bigint, bigint, text), dnc_end(bigint, bigint[], bigint[], text[]), dnc_end_chunks(bigint, bigint[], bigint[])
    from public;
grant execute on function dnc_listed(bigint[], bigint[], text[]) to ccs_dispatcher;
grant execute on function dnc_mine(bigint, text[]), dnc_of(bigint, bigint, text), dnc_end(bigint, bigint[], bigint[], text[]),
    dnc_end_chunks(bigint, bigint[], bigint[]) to ccs_api;
