-- Clients replace and revoke their own keys. A key that was replaced may stay good for a while, but makes no further ones.
alter table api_key add column replaced_at timestamptz;

-- Whoever is not known yet has no client: keys are read by all, written by their own.
alter table api_key enable row level security;
create policy readable on api_key for select to ccs_api, ccs_dispatcher using (true);
create policy tenant_adds on api_key for insert to ccs_api with check (client_id = current_client());
create policy tenant_ends on api_key for update to ccs_api using (client_id = current_client());
create policy used on api_key for update to ccs_dispatcher using (true);

grant insert (client_id, digest, shown, name, expires_at), update (expires_at, revoked_at, replaced_at) on api_key to ccs_api;
grant insert (actor, action, subject, detail) on audit to ccs_api;
