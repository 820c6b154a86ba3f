-- Users who have signed in. A token names its session and its user's version: the session's end voids one user agent's
-- tokens, a changed password (the next version) all of them.
alter table app_user add column session_version bigint not null default 1;

create table user_session (
    id           bigint generated always as identity primary key,
    user_id      bigint not null references app_user,
    refresh_id   text not null,  -- which refresh token is good: its jti. No secret, as tokens are signed
    previous_id  text,           -- the one before it
    created_at   timestamptz not null default now(),
    refreshed_at timestamptz not null default now(), -- when refresh_id was made
    expires_at   timestamptz not null,
    ended_at     timestamptz
);
create index user_session_user on user_session (user_id, ended_at desc);

-- Only the processes that check passwords read them: ccs_login is ccs_api and this.
grant select (id, client_id, session_version) on app_user to ccs_api, ccs_dispatcher;
grant select (username, password_hash), update (password_hash, session_version, updated_at) on app_user to ccs_login;

grant select on user_session to ccs_api;
grant update (refresh_id, previous_id, refreshed_at, ended_at) on user_session to ccs_api;
grant insert, delete on user_session to ccs_login;
grant select (id, user_id, ended_at) on user_session to ccs_dispatcher;
