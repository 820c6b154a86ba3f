-- Attempts may be journalled before there is a channel for them. One that is never written was none, and no call of its
-- client's day: its row is deleted, by a function, because the dispatcher may not delete what it has journalled. Nothing that
-- has a detail goes.
create function attempt_withdraw(entries bigint[], numbers bigint[], planned timestamptz[]) returns void
language sql security definer set search_path = public, pg_temp as $$
    with gone as (
        delete from attempt a
         using unnest(entries, numbers, planned) as p (entry_id, n, armed_at)
         where a.entry_id = p.entry_id and a.n = p.n and a.armed_at = p.armed_at
           and not exists (select from call_detail d where d.entry_id = p.entry_id and d.n = p.n)
        returning a.client_id, a.armed_at, a.region
    )
    update rollup_region r set calls = r.calls - g.calls
      from (select o.client_id, (o.armed_at at time zone c.timezone)::date as local_date, o.region, count(*) as calls
              from gone o join client c on c.id = o.client_id
             group by 1, 2, 3) g
     where r.client_id = g.client_id and r.local_date = g.local_date and r.region = g.region
$$;
revoke all on function attempt_withdraw(bigint[], bigint[], timestamptz[]) from public;
grant execute on function attempt_withdraw(bigint[], bigint[], timestamptz[]) to ccs_dispatcher;

-- A start is what its detail says, not the moment of the journal. The last hour of starts is read at every start.
create index call_detail_recent on call_detail using brin (started_at);
drop index attempt_recent;
