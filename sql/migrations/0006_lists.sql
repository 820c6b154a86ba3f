-- What the lists of batches and their entries need to be counted without looking at all of them.

-- A batch is finished when its last chunk is closed.
alter table queue_master
    add column open_chunks    integer not null default 0,
    add column finished_at    timestamptz,
    add column rejected_count integer not null default 0;
update queue_master m
   set open_chunks = c.open,
       finished_at = case when c.open = 0 then c.closed_at end,
       rejected_count = json_array_length(m.rejected::json)
  from (select queue_master_id, count(*) filter (where closed_at is null) as open, max(closed_at) as closed_at
          from chunk group by 1) c
 where c.queue_master_id = m.id;
create index queue_master_open on queue_master (client_id, id) where finished_at is null;
grant update (open_chunks, finished_at) on queue_master to ccs_dispatcher;

-- Batches by local date, in the client's zone. An insert counts in a row that no other insert holds at the moment, so that
-- batches of one client that come in at the same time do not wait for each other; the sum of all shards is the number.
create table rollup_queue (
    client_id  bigint not null,
    local_date date not null,
    shard      integer not null,
    batches    bigint not null,
    primary key (client_id, local_date, shard)
);
insert into rollup_queue
select m.client_id, (m.created_at at time zone c.timezone)::date, 0, count(*)
  from queue_master m join client c on c.id = m.client_id
 group by 1, 2;
alter table rollup_queue enable row level security;
create policy tenant on rollup_queue to ccs_api using (client_id = current_client());
grant select, insert, update (batches) on rollup_queue to ccs_api;
