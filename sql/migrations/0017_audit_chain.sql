-- The audit is a chain: the link of each row holds a digest of the row and of the link before it, so that whoever changes or
-- removes a row afterwards has to make all later links anew, which shows against any link that somebody has written down
-- (`ccsctl audit verify --anchor`). Links are made at the end of the transaction, one transaction after the other: whoever
-- waits there holds up nobody before.

-- From where it was asked for; null: nobody knows.
alter table audit add column address text default nullif(current_setting('ccs.address', true), '');

create table audit_link (
    position bigint primary key check (position > 0),
    audit_id bigint not null unique references audit,
    hash     bytea not null check (octet_length(hash) = 32)
);

-- What is digested of a row, behind the 32 bytes of the link before it (0 before the first): position, id, microseconds since
-- 1970, then actor, action, subject, detail and address, each with the number of its bytes. registry/audit.c computes the
-- same by itself.
create function audit_text(place bigint, of audit) returns text language sql stable as $$
    select concat_ws(' ', place, of.id, (extract(epoch from of.at) * 1000000)::bigint,
                     octet_length(of.actor) || ':' || of.actor, octet_length(of.action) || ':' || of.action,
                     octet_length(of.subject) || ':' || of.subject,
                     octet_length(of.detail::text) || ':' || of.detail::text,
                     coalesce(octet_length(of.address) || ':' || of.address, '-'))
$$;

create function audit_chain() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    head audit_link;
begin
    perform pg_advisory_xact_lock(hashtext('ccs.audit'));
    select * into head from audit_link order by position desc limit 1;
    insert into audit_link (position, audit_id, hash)
    values (coalesce(head.position, 0) + 1, new.id,
            sha256(coalesce(head.hash, decode(repeat('00', 32), 'hex'))
                   || convert_to(audit_text(coalesce(head.position, 0) + 1, new), 'UTF8')));
    return null;
end
$$;
revoke all on function audit_chain() from public;

-- What was there before.
do $$
declare
    known audit;
    place bigint := 0;
    head  bytea := decode(repeat('00', 32), 'hex');
begin
    for known in select * from audit order by id loop
        place := place + 1;
        head := sha256(head || convert_to(audit_text(place, known), 'UTF8'));
        insert into audit_link values (place, known.id, head);
    end loop;
end
$$;

create constraint trigger audit_chain after insert on audit
    deferrable initially deferred for each row execute function audit_chain();

-- Not even its owner changes it by mistake.
create function audit_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'what stands in the audit stays as it is' using errcode = 'insufficient_privilege';
end
$$;
create trigger append_only before update or delete or truncate on audit
    for each statement execute function audit_refuse();
create trigger append_only before update or delete or truncate on audit_link
    for each statement execute function audit_refuse();

-- The last link, for the log: the dispatcher may not read the audit.
create function audit_anchor(out place bigint, out hash bytea)
language sql stable security definer set search_path = public, pg_temp as $$
    select l.position, l.hash from audit_link l order by l.position desc limit 1
$$;
revoke all on function audit_anchor() from public;
grant execute on function audit_anchor() to ccs_dispatcher;
