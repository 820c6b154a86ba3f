-- Dialling that an operator has stopped: for one client, or (null) for all. It holds until it is lifted, whatever restarts.
create table halt (
    client_id bigint references client,
    since     timestamptz not null default now(),
    actor     text not null,
    reason    text not null default '' check (octet_length(reason) <= 200 and reason !~ '[[:cntrl:]]')
);
create unique index halt_of on halt (coalesce(client_id, 0));
grant select on halt to ccs_dispatcher;

alter table control
    drop constraint control_kind_check,
    add constraint control_kind_check
        check (kind in ('dispatch', 'reload', 'pause', 'resume', 'cancel', 'hangup', 'halt', 'lift'));

-- Channels of others on a server that is not ours alone count against its allowed_active_calls.
alter table server add column count_foreign_calls boolean not null default false;
