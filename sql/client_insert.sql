-- Calls as a JSON array, into a client's table. Those that are there already stay as they are.
insert into ccs_calls (event_id, seq, call_id, attempt, is_final, accountcode, batch_id, phone_number, server_code, did, disposition,
                       hangup_cause, reason, started_at, answered_at, ended_at, duration, billsec, recording_url, custom_data)
select event_id, seq, call_id, attempt, is_final, accountcode, batch_id, phone_number, server_code, did, disposition,
       hangup_cause, reason, started_at, answered_at, ended_at, duration, billsec, recording_url, custom_data
  from json_to_recordset($1::json)
    as r (event_id text, seq bigint, call_id text, attempt integer, is_final boolean, accountcode text, batch_id bigint,
          phone_number text, server_code text, did text, disposition text, hangup_cause integer, reason text,
          started_at timestamptz, answered_at timestamptz, ended_at timestamptz, duration numeric, billsec numeric,
          recording_url text, custom_data json)
on conflict (event_id) do nothing
