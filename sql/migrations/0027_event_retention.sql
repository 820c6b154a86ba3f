-- Events older than so many days go, a week's partition at a time; the dispatcher asks hourly, and may not drop tables itself.
-- A partition is dropped behind its parent's lock, for which inserts wait meanwhile: who does not get it soon lets go and tries
-- again an hour later.
create function events_retire(days bigint, out dropped bigint)
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '100ms' as $$
declare
    leaf text;
begin
    dropped := 0;
    for leaf in select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
                 where i.inhparent = 'event'::regclass and c.relname ~ '^event_p[0-9]+$'
                   and timestamptz '2026-01-05 00:00+00' + (substr(c.relname, 8)::integer + 1) * interval '7 days'
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
revoke all on function events_retire(bigint) from public;
grant execute on function events_retire(bigint) to ccs_dispatcher;
