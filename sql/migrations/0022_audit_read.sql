-- Administrators read the audit by HTTP, too: GET /admin/audit. Nobody changes it.
grant select on audit, audit_link to ccs_admin;
