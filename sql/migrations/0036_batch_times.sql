-- When a batch's calls may begin, and until when, as its settings say (registry/batch.def). ttl_seconds counts from the moment when the
-- batch came in, or from its start.
create function batch_starts_at(settings jsonb) returns timestamptz language sql stable as
    $$ select (settings ->> 'start_at')::timestamptz $$;
create function batch_expires_at(settings jsonb, created_at timestamptz) returns timestamptz language sql stable as
    $$ select least((settings ->> 'deadline')::timestamptz,
                    greatest(created_at, (settings ->> 'start_at')::timestamptz)
                    + nullif((settings ->> 'ttl_seconds')::bigint, 0) * interval '1 second') $$;
