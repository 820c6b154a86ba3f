-- From where a key may be used: none = from anywhere. Eight are what a row of the directory holds.
alter table api_key
    add column networks cidr[] not null default '{}'
        constraint api_key_networks_check check (cardinality(networks) <= 8 and array_position(networks, null) is null);
grant insert (networks) on api_key to ccs_api;
