-- A file of entries is copied under the id that its batch will have (registry/load.h).
grant usage on queue_master_id_seq to ccs_api;
