-- What programs of others may read (docs/SQL.md): views with the words of the API, for members of a role that reads nothing
-- else. Which clients a login sees, and whether it sees numbers, stands in report_grant; a login that is not in it sees nobody.
-- custom_data is in none of them.
create table report_grant (
    login        name not null,
    client_id    bigint references client, -- null: all of them
    sees_numbers boolean not null default false
);
create unique index report_grant_of on report_grant (login, coalesce(client_id, 0));

-- Who may see what is an act of administration, whoever does it.
create function report_grant_record() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into audit (actor, action, subject, detail)
    values ('sql:' || session_user, 'report.' || lower(tg_op), coalesce(new.login, old.login)::text,
            jsonb_build_object('client_id', coalesce(new.client_id, old.client_id), 'sees_numbers',
                               coalesce(new.sees_numbers, old.sees_numbers)));
    return null;
end
$$;
revoke all on function report_grant_record() from public;
create trigger recorded after insert or update or delete on report_grant
    for each row execute function report_grant_record();

-- The clients of whoever asks. A view reads with its owner's rights, so nobody needs any on what is behind it; and row-level
-- security is not for owners, so this is the wall of the views.
create view report_scope as
select c.id as client_id, c.accountcode, bool_or(g.sees_numbers) as sees_numbers
  from report_grant g join client c on g.client_id is null or g.client_id = c.id
 where g.login = session_user
 group by c.id;

-- All but the last four digits as stars.
create function masked(number text) returns text language sql immutable as $$
    select case when length(number) > 4 then repeat('*', length(number) - 4) || right(number, 4) else number end
$$;

create schema report;

create view report.client with (security_barrier = true) as
select c.id as client_id, c.accountcode, c.name, c.did, c.timezone, c.region, c.is_active, c.status::text as status,
       c.allocated_channels, c.rate_limit, c.created_at
  from public.client c join public.report_scope o on o.client_id = c.id;

create view report.batch with (security_barrier = true) as
select m.id as queue_id, m.batch_id, m.client_id, o.accountcode, m.inserted_count + m.appended_count as entries,
       m.rejected_count as rejected, m.created_at, m.dispatched_at, m.paused_at, m.canceled_at, m.finished_at
  from public.queue_master m join public.report_scope o on o.client_id = m.client_id
 where m.part_of is null;

create view report.batch_outcome with (security_barrier = true) as
select m.id as queue_id, m.batch_id, m.client_id, o.accountcode, r.disposition::text as disposition, r.entries
  from public.rollup_batch r
  join public.queue_master m on m.id = r.queue_master_id
  join public.report_scope o on o.client_id = m.client_id;

create view report.entry with (security_barrier = true) as
select e.entry_id, e.client_id, o.accountcode, e.queue_master_id as queue_id,
       case when o.sees_numbers then e.phone_number else public.masked(e.phone_number) end as phone_number, e.region,
       d.disposition::text as disposition, d.reason, d.ended_at
  from public.entry e
  join public.report_scope o on o.client_id = e.client_id
  left join public.call_detail d on d.entry_id = e.entry_id and d.is_final;

create view report.call with (security_barrier = true) as
select 'ccs-' || lpad(to_hex(d.entry_id), 14, '0') || lpad(to_hex(d.n::integer), 2, '0') as call_id, d.entry_id, d.n as attempt,
       d.client_id, o.accountcode, d.queue_master_id as queue_id, s.server_code, d.did,
       case when o.sees_numbers then d.number else public.masked(d.number) end as number,
       d.disposition::text as disposition, d.hangup_cause, d.reason, d.is_final, d.estimated, d.started_at, d.answered_at,
       d.ended_at, d.duration_ms / 1000.0 as duration, d.billsec_ms / 1000.0 as billsec
  from public.call_detail d
  join public.report_scope o on o.client_id = d.client_id
  left join public.server s on s.id = d.server_id
 where d.n > 0;

create view report.hour with (security_barrier = true) as
select r.client_id, o.accountcode, s.server_code, r.local_date, r.local_hour, r.calls, r.completed, r.busy, r.no_answer, r.rejected,
       r.invalid, r.congestion, r.failed, r.canceled, r.expired, r.suppressed, r.unknown, r.duration_ms / 1000.0 as duration,
       r.billsec_ms / 1000.0 as billsec
  from public.rollup_hour r
  join public.report_scope o on o.client_id = r.client_id
  left join public.server s on s.id = r.server_id;

grant usage on schema report to ccs_report;
grant select on all tables in schema report to ccs_report;
