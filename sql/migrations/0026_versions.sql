-- Administration: versions, so that two administrators never overwrite each other unseen, and shares that follow from what the
-- servers have (setup-channels). ccs_admin comes from `ccsctl db roles`, as in the migration before.

create function next_version() returns trigger language plpgsql as $$
begin
    new.version := old.version + 1;
    return new;
end
$$;

alter table client add column version bigint not null default 1;
alter table app_user add column version bigint not null default 1;
alter table server add column version bigint not null default 1;
alter table allocation add column version bigint not null default 1;

-- Whoever writes. A lease is no change of a server, and a session no change of a user's.
create trigger next_version before update on client for each row execute function next_version();
create trigger next_version before update on app_user for each row execute function next_version();
create trigger next_version before update on allocation for each row execute function next_version();
create trigger next_version before update on server for each row
    when ((old.owner_node, old.owner_epoch, old.lease_until) is not distinct from
          (new.owner_node, new.owner_epoch, new.lease_until)) execute function next_version();

grant delete on server, allocation, app_user, user_session to ccs_admin;
grant select (version) on app_user to ccs_admin;
