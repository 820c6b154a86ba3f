-- How long a client's numbers are kept: so many days after the last entry of a chunk has ended, the dispatcher erases them, a
-- piece at a time (retention_step), as at somebody's wish (migration 0020): what is counted stays.
alter table client add column retention_days integer check (retention_days between 1 and 36500); -- null = for ever
grant select (retention_days) on client to ccs_api;

alter table chunk add column erased_at timestamptz;
create index chunk_kept on chunk (client_id, closed_at) where closed_at is not null and erased_at is null;
create index queue_master_rejected on queue_master (client_id, created_at) where rejected <> '[]';

-- What was erased because its time was over.
create table retention (
    client_id bigint primary key references client,
    entries   bigint not null default 0,
    batches   bigint not null default 0, -- whose answers had rejected numbers
    ended_to  timestamptz,               -- the latest end among them
    at        timestamptz not null default now()
);

-- Erases about a thousand entries of one client, or the rejected numbers of some of its batches. How many rows that were; 0:
-- nothing is due. Several nodes may do it at once.
create function retention_step(out erased bigint)
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    due    record;
    pieces bigint[];
    latest timestamptz;
    many   bigint;
begin
    for due in select id, now() - make_interval(days => retention_days) as before from client
                where retention_days is not null order by id loop
        with old as (
            select id, entry_count from chunk
             where client_id = due.id and closed_at < due.before and erased_at is null
             order by closed_at limit 200 for update skip locked
        ), part as (
            select id from (select id, sum(entry_count) over (order by id) - entry_count as before_it from old) p
             where before_it < 1024
        ), marked as (
            update chunk c set erased_at = now() from part where c.id = part.id
            returning c.id, c.closed_at, c.queue_master_id
        ), forgotten as (
            update queue_master m set content = ''
             where m.client_id = due.id and m.content <> ''
               and (m.id in (select queue_master_id from marked) or m.part_of in (select queue_master_id from marked))
            returning 1
        )
        select array_agg(id), max(closed_at) into pieces, latest from marked;

        with old as (
            select id from queue_master
             where client_id = due.id and rejected <> '[]' and created_at < due.before
             order by created_at limit 20 for update skip locked
        ), emptied as (
            update queue_master m set rejected = '[]', content = '' from old where m.id = old.id returning 1
        )
        select count(*) into many from emptied;

        if pieces is not null or many > 0 then
            select coalesce(sum(e.entries), 0) into erased
              from entries_erase(due.id, (select array_agg(e.entry_id) from unnest(pieces) as piece
                                            join entry e on e.entry_id between piece * 1024 and piece * 1024 + 1023)) e;
            insert into retention as r (client_id, entries, batches, ended_to) values (due.id, erased, many, latest)
            on conflict (client_id) do update
               set entries = r.entries + excluded.entries, batches = r.batches + excluded.batches,
                   ended_to = greatest(r.ended_to, excluded.ended_to), at = now();
            erased := greatest(coalesce(cardinality(pieces), 0) + many, erased);
            return;
        end if;
    end loop;
    erased := 0;
end
$$;
revoke all on function retention_step() from public;
grant execute on function retention_step() to ccs_dispatcher;
