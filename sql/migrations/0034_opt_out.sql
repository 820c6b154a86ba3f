-- Who was called has asked, in that call, to be called no more: a flag beside its disposition, which says how the call ended.
alter table call_detail add column opted_out boolean not null default false;
