-- Batches that their owner has paused or canceled, and calls that he wants hung up. The order stands beside the batch; the
-- control row tells the dispatcher to look.
alter table queue_master
    add column paused_at   timestamptz,
    add column canceled_at timestamptz;
grant update (paused_at, canceled_at) on queue_master to ccs_api;

alter table control
    drop constraint control_kind_check,
    add constraint control_kind_check check (kind in ('dispatch', 'reload', 'pause', 'resume', 'cancel', 'hangup'));
