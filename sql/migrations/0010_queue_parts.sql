-- A batch may be added to an earlier one: its entries are that one's (appended_count), its own row is only the receipt by
-- which the same batch_id is known again.
alter table queue_master
    add column part_of        bigint,
    add column appended_count integer not null default 0,
    add foreign key (client_id, part_of) references queue_master (client_id, id);
grant update (appended_count, rejected_count, open_chunks, finished_at) on queue_master to ccs_api;
