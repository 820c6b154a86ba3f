-- Finished calls copied into a client's own database (asyncdatabaseurl, syncdatabaseurl): how far that is.
create table client_database (
    client_id bigint primary key references client,
    seq       bigint not null,           -- events up to here are there, or are no ends of calls
    calls     bigint not null default 0, -- copied so far
    stored_at timestamptz,               -- when that last went well
    error     text,                      -- why it does not now
    error_at  timestamptz
);

create function client_database_follow() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.asyncdatabaseurl is null and new.syncdatabaseurl is null then
        delete from client_database where client_id = new.id;
    else
        insert into client_database (client_id, seq)
        values (new.id, coalesce((select s.seq from client_seq s where s.client_id = new.id), 0))
        on conflict (client_id) do update set error = null, error_at = null;
    end if;
    perform pg_notify('ccs_courier', '');
    return null;
end
$$;
create trigger client_database_begins after insert on client
    for each row when (new.asyncdatabaseurl is not null or new.syncdatabaseurl is not null)
    execute function client_database_follow();
create trigger client_database_changes after update of asyncdatabaseurl, syncdatabaseurl on client
    for each row when ((old.asyncdatabaseurl, old.syncdatabaseurl) is distinct from (new.asyncdatabaseurl, new.syncdatabaseurl))
    execute function client_database_follow();
insert into client_database (client_id, seq)
select c.id, coalesce(s.seq, 0) from client c left join client_seq s on s.client_id = c.id
 where c.asyncdatabaseurl is not null or c.syncdatabaseurl is not null;

alter table client_database enable row level security;
create policy all_tenants on client_database to ccs_courier using (true) with check (true);
grant select, update (seq, calls, stored_at, error, error_at) on client_database to ccs_courier;
grant select (asyncdatabaseurl, syncdatabaseurl) on client to ccs_courier; -- sealed
