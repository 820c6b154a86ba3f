-- The number that called people are to see, where whoever sends the numbers asks for one: an entry for itself, a batch for all
-- of its entries that do not, which is said once for each chunk of them.
alter table entry
    add column did text,
    add constraint entry_did
        check (did is null or case rtrim(convert_to(did, 'UTF8'), '0123456789') when '' then octet_length(did) between 1 and 20
               when '+' then octet_length(did) between 2 and 21 else false end);
alter table chunk add column did text check (did ~ '^\+?[0-9]{1,20}$');

-- Which numbers each client may show: its own, and those of its shares of servers; a share without any shows the server's.
create view caller_id (client_id, did) with (security_invoker = true) as
select id, did from client
union
select a.client_id, unnest(case when a.allocated_dids = '{}' then s.allocated_dids else a.allocated_dids end)
  from allocation a join server s on s.id = a.server_id;
grant select on caller_id to ccs_api;
