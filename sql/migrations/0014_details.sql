-- Call details by number and by how they ended, without looking at all of them.
alter table call_detail add column number text; -- E.164 without '+', else as it was dialled; null: never dialled
update call_detail d set number = coalesce(e.e164, e.number) from entry e where e.entry_id = d.entry_id and d.n > 0;
create index call_detail_number on call_detail (client_id, number);

-- The other dispositions beside completed; calls is the sum of all.
alter table rollup_hour
    add column busy       bigint not null default 0,
    add column no_answer  bigint not null default 0,
    add column rejected   bigint not null default 0,
    add column invalid    bigint not null default 0,
    add column congestion bigint not null default 0,
    add column failed     bigint not null default 0,
    add column canceled   bigint not null default 0,
    add column expired    bigint not null default 0,
    add column suppressed bigint not null default 0,
    add column unknown    bigint not null default 0;
update rollup_hour r
   set busy = d.busy, no_answer = d.no_answer, rejected = d.rejected, invalid = d.invalid, congestion = d.congestion,
       failed = d.failed, canceled = d.canceled, expired = d.expired, suppressed = d.suppressed, unknown = d.unknown
  from (select d.client_id, coalesce(d.server_id, 0) as server_id, (d.started_at at time zone c.timezone)::date as local_date,
               extract(hour from d.started_at at time zone c.timezone)::smallint as local_hour,
               count(*) filter (where disposition = 'busy') as busy,
               count(*) filter (where disposition = 'no_answer') as no_answer,
               count(*) filter (where disposition = 'rejected') as rejected,
               count(*) filter (where disposition = 'invalid') as invalid,
               count(*) filter (where disposition = 'congestion') as congestion,
               count(*) filter (where disposition = 'failed') as failed,
               count(*) filter (where disposition = 'canceled') as canceled,
               count(*) filter (where disposition = 'expired') as expired,
               count(*) filter (where disposition = 'suppressed') as suppressed,
               count(*) filter (where disposition = 'unknown') as unknown
          from call_detail d join client c on c.id = d.client_id
         where d.n > 0
         group by 1, 2, 3, 4) d
 where r.client_id = d.client_id and r.server_id = d.server_id and r.local_date = d.local_date
   and r.local_hour = d.local_hour;
