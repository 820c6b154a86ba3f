-- Numbers whose time is over: migration 0024.

-- name: retention_step
-- role: ccs_dispatcher
-- Erases some of them; how many, 0: nothing is due.
select erased from retention_step();

-- name: retention_list
-- role: ccs_owner
select c.accountcode, c.retention_days::bigint, coalesce(r.entries, 0), coalesce(r.batches, 0), r.ended_to, r.at,
       (select coalesce(sum(k.entry_count), 0) from chunk k
         where k.client_id = c.id and k.erased_at is null and k.closed_at < now() - make_interval(days => c.retention_days))
  from client c left join retention r on r.client_id = c.id
 where c.retention_days is not null or r.client_id is not null
 order by c.id;
