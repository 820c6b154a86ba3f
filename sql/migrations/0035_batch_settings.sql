-- The settings of a batch: one JSON object of those that were given (registry/batch.def), so that a batch without any takes no room
-- and another setting takes no migration. settings_version counts the changes; 0: none was ever given.
alter table queue_master
    add column settings         jsonb check (jsonb_typeof(settings) = 'object'),
    add column settings_version bigint not null default 0;
grant update (settings, settings_version) on queue_master to ccs_api;

-- The number that a batch shows is one of them. A chunk has one of its own only where it came in with a batch that was added to
-- another.
with shown as (
    select distinct on (queue_master_id) queue_master_id, did from chunk where did is not null order by queue_master_id, id
)
update queue_master m set settings = jsonb_build_object('did', s.did), settings_version = 1
  from shown s
 where m.id = s.queue_master_id and m.appended_count = 0;
update chunk c set did = null
  from queue_master m
 where m.id = c.queue_master_id and m.settings is not null and c.closed_at is null;

alter table control
    drop constraint control_kind_check,
    add constraint control_kind_check
        check (kind in ('dispatch', 'reload', 'pause', 'resume', 'cancel', 'hangup', 'halt', 'lift', 'dnc', 'settings'));
