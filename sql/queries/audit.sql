-- The audit: read, and verified link by link (registry/audit.c). It is written by audit_insert and by the statements that
-- record what they do themselves.
-- role: ccs_owner

-- name: audit_list
-- role: ccs_owner ccs_admin
-- The last ones first: $5 rows before position $4 behind $6 others, of one actor, one action (or all whose names begin with it
-- and a dot), one subject.
select l.position, a.at, a.actor, a.action, a.subject, a.detail::text, a.address
  from audit_link l join audit a on a.id = l.audit_id
 where ($1::text is null or a.actor = $1)
   and ($2::text is null or a.action = $2 or starts_with(a.action, $2 || '.'))
   and ($3::text is null or a.subject = $3)
   and ($4::bigint is null or l.position < $4)
 order by l.position desc
 limit $5::bigint offset $6::bigint;

-- name: audit_count
-- role: ccs_owner ccs_admin
select count(*)
  from audit a
 where ($1::text is null or a.actor = $1)
   and ($2::text is null or a.action = $2 or starts_with(a.action, $2 || '.'))
   and ($3::text is null or a.subject = $3);

-- name: audit_page
-- Links behind position $1, in order, with what they are of; without a row of the audit its columns are null.
select l.position, l.hash, l.audit_id, a.id, a.at, a.actor, a.action, a.subject, a.detail::text, a.address
  from audit_link l left join audit a on a.id = l.audit_id
 where l.position > $1::bigint
 order by l.position
 limit 1000;

-- name: audit_unlinked
-- Rows that no link speaks of.
select a.id from audit a where not exists (select from audit_link l where l.audit_id = a.id) order by a.id limit 1;

-- name: audit_anchor
-- role: ccs_dispatcher ccs_owner
select place, hash from audit_anchor() where place is not null;
