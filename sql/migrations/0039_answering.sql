-- Recording and answering-machine detection, both done by the dialplan of the server; and where the recording of a call lies, below
-- its server's recording_directory.
alter table client
    add column record boolean not null default false,
    add column amd boolean not null default false;
grant select (record, amd) on client to ccs_api, ccs_dispatcher;
alter table call_detail add column recording text;
