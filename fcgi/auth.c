/* Credentials, identity, and what belongs to whom: see auth.h. */
#include <inttypes.h>

#include "common/certificate.h"
#include "fcgi/auth.h"
#include "fcgi/used.h"
#include "registry/allocation.h"
#include "registry/client.h"
#include "registry/user.h"
#include "shm/directory.h"
#include "shm/network.h"
#include "shm/scope.h"
#include "shm/view.h"
#include "sql/db.h"

#include "common/base.h"

static struct str from_header(const struct req *req)
{
	return req_header(req, "HTTP_X_API_KEY");
}

/* Another scheme than Bearer is somebody else's (a proxy's), not ours. */
static struct str from_bearer(const struct req *req)
{
	struct str scheme, token = req_header(req, "HTTP_AUTHORIZATION");
	if (str_split(&token, ' ', &scheme) && str_case_eq(scheme, STR("Bearer")))
		return str_trim(token);
	return (struct str){NULL, 0};
}

static struct str from_query(const struct req *req)
{
	return req_query(req, "x-api-key");
}

bool auth_credential(const struct req *req, struct str *credential, struct err *err)
{
	static struct str (*const sources[])(const struct req *) = {
		from_header, from_bearer, from_query};
	struct str found = {NULL, 0};

	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct str one = sources[i](req);
		if (one.n == 0)
			continue;
		if (found.n && !str_eq(found, one))
			return fail_code(err, ERR_INPUT, "two_identities",
				"the request carries two different keys or tokens; send one");
		found = one;
	}
	*credential = found;
	return true;
}

/* The certificate of the connection, which nginx has verified and writes with percent signs. Nobody else writes there:
 * it is no header. */
static bool shown_certificate(const struct req *req, struct digest *fingerprint)
{
	struct str escaped = req_header(req, "SSL_CLIENT_CERT");
	char *pem = escaped.n ? arena_alloc(req->arena, escaped.n) : NULL;
	size_t n = 0;

	if (!pem)
		return false;
	for (size_t i = 0; i < escaped.n; i++) {
		int high = -1, low = -1;
		if (escaped.p[i] == '%' && i + 2 < escaped.n) {
			high = hex_value(escaped.p[i + 1]);
			low = hex_value(escaped.p[i + 2]);
		}
		bool is_escape = high >= 0 && low >= 0;
		pem[n++] = (char)(is_escape ? high << 4 | low : escaped.p[i]);
		i += is_escape ? 2 : 0;
	}
	return certificate_fingerprint((struct str){pem, n}, fingerprint);
}

/* What stands for a client by its digest: keys and certificates. */
struct kind {
	bool (*find)(struct db *db, const struct digest *digest, struct shm_client *client,
		struct shm_key *key, uint64_t *server_id, struct err *err);
	const char *unknown_code, *unknown, *expired_code, *expired;
};
static const struct kind api_keys = {client_by_key, "key_unknown", "nobody has this API key",
	"key_expired", "the API key has expired"};
static const struct kind certificates = {client_by_certificate, "certificate_unknown",
	"the client certificate stands for no client", "certificate_refused",
	"the client certificate has expired"};

static bool identify_by_sql(struct app *app, const struct kind *kind, const struct digest *digest,
	struct shm_key *key, uint64_t *server_id, struct err *err)
{
	if (!db_ready(app->db, err))
		return false;
	if (kind->find(app->db, digest, &app->client, key, server_id, err))
		return true;
	if (err->kind == ERR_MISSING)
		return fail_code(err, ERR_AUTH, kind->unknown_code, "%s", kind->unknown);
	return false;
}

bool auth_admits(const struct shm_client *client, struct err *err)
{
	return !client || (client->is_active && client->status != CLIENT_SUSPENDED) ||
	       fail_code(err, ERR_FORBIDDEN, "client_inactive", "the client is inactive");
}

static enum auth_verdict known(
	struct app *app, struct req *req, enum auth_source source, uint32_t scopes)
{
	req->client = app->client.id ? &app->client : NULL;
	req->source = source;
	req->scopes = scopes;
	req->is_test = req->client && req->client->is_test;
	return AUTH_OK;
}

static enum auth_verdict check_digest(struct app *app, struct req *req, const struct kind *kind,
	const struct digest *digest, struct err *err)
{
	enum auth_source source;
	struct shm_key key;
	uint64_t server_id = 0;

	if (app->live && dir_identify(app->segment, digest, &key, &app->client))
		source = AUTH_SEGMENT;
	else if (!app->db)
		return AUTH_ASK_SQL;
	else if (identify_by_sql(app, kind, digest, &key, &server_id, err))
		source = AUTH_SQL;
	else
		return AUTH_REFUSED;
	if (key.expires_us && key.expires_us <= req->now_us) {
		fail_code(err, ERR_AUTH, kind->expired_code, "%s", kind->expired);
		return AUTH_REFUSED;
	}
	if (!net_admits(&key, req_header(req, "REMOTE_ADDR"))) {
		fail_code(err, ERR_FORBIDDEN, "address_refused",
			"this API key may not be used from this address; whoever made the key can "
			"make "
			"one that may");
		return AUTH_REFUSED;
	}
	req->key_id = key.id;
	req->server_id = server_id;
	key_used(app, key.id, req->now_us);
	return known(app, req, source, key.scopes);
}

static enum auth_verdict check_key(
	struct app *app, struct req *req, struct str credential, struct err *err)
{
	if (!token_is_key(credential)) {
		fail_code(err, ERR_AUTH, "key_malformed",
			"this is no API key: characters are missing or mistyped");
		return AUTH_REFUSED;
	}
	struct digest digest = digest_of(credential);
	return check_digest(app, req, &api_keys, &digest, err);
}

static enum auth_verdict check_token(
	struct app *app, struct req *req, struct str credential, struct err *err)
{
	if (!jwt_verify(&app->ring, JWT_ACCESS, credential, req->now_us, &app->token, err))
		return AUTH_REFUSED;
	req->token = &app->token;
	enum dir_session found = app->live ? dir_session(app->segment, &app->token, &app->client)
					   : DIR_SESSION_UNSURE;
	if (found == DIR_SESSION_GOOD)
		return known(app, req, AUTH_SEGMENT, SCOPE_ALL);
	if (found == DIR_SESSION_ENDED) {
		session_over(err);
		return AUTH_REFUSED;
	}
	if (!app->db)
		return AUTH_ASK_SQL;
	if (!db_ready(app->db, err) || !client_by_session(app->db, &app->token, &app->client, err))
		return AUTH_REFUSED;
	return known(app, req, AUTH_SQL, SCOPE_ALL);
}

/* A certificate beside a key or token may be nobody's, or the same client's. */
static bool certificate_agrees(
	struct app *app, const struct req *req, const struct digest *fingerprint, struct err *err)
{
	struct shm_client other;
	struct shm_key found;
	uint64_t server_id;

	if (app->live ? !dir_key(app->segment, fingerprint, &found)
		      : !client_by_certificate(
				app->db, fingerprint, &other, &found, &server_id, err))
		return app->live || err->kind == ERR_MISSING;
	return (req->client && found.client_id == req->client->id) ||
	       fail_code(err, ERR_INPUT, "two_identities",
		       "the client certificate is another client's than the key or token");
}

static enum auth_verdict check_credential(
	struct app *app, struct req *req, struct str credential, struct err *err)
{
	if (jwt_is_token(credential) && str_eq(credential, from_bearer(req)))
		return check_token(app, req, credential, err);
	return check_key(app, req, credential, err);
}

enum auth_verdict auth_check(struct app *app, struct req *req, struct err *err)
{
	struct str credential;

	if (!auth_credential(req, &credential, err))
		return AUTH_REFUSED;
	bool has_certificate = shown_certificate(req, &app->certificate);
	if (credential.n) {
		enum auth_verdict verdict = check_credential(app, req, credential, err);
		bool is_one = verdict != AUTH_OK || !has_certificate ||
			      certificate_agrees(app, req, &app->certificate, err);
		return is_one ? verdict : AUTH_REFUSED;
	}
	if (has_certificate) {
		req->certificate = &app->certificate;
		return check_digest(app, req, &certificates, req->certificate, err);
	}
	fail_code(err, ERR_AUTH, "key_missing",
		"no API key in the header X-API-KEY, and no token in Authorization: Bearer");
	return AUTH_REFUSED;
}

bool not_yours(struct err *err)
{
	return fail_code(err, ERR_FORBIDDEN, "not_yours",
		"the request names something that is not yours, or that does not exist");
}

bool own_accountcode(const struct req *req, struct str accountcode, struct err *err)
{
	return !accountcode.p || str_eq(accountcode, str_of(req->client->accountcode)) ||
	       not_yours(err);
}

bool own_client_id(const struct req *req, uint64_t client_id, struct err *err)
{
	return client_id == req->client->id || not_yours(err);
}

static bool find_in_segment(
	const struct app *app, const struct req *req, struct str code, uint64_t *server_id)
{
	struct view view = view_of(app->segment, req->client->id);
	struct view_allocation row;
	for (uint32_t at = 0; view_next_allocation(&view, &at, &row);) {
		if (!str_eq(code, str_of(row.server.server.server_code)))
			continue;
		*server_id = row.server.server.id;
		return true;
	}
	return false;
}

static bool find_in_sql(const struct app *app, const struct req *req, struct str code,
	uint64_t *server_id, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct allocation_row row;
	bool found = false;

	if (!allocations_of_client(app->db, req->client->id, &rows, err))
		return false;
	bool read = true;
	for (int i = 0; read && !found && i < rows.n; i++) {
		read = allocation_from_row(&rows, i, &row, err);
		found = read && str_eq(code, str_of(row.server.server_code));
	}
	rows_free(&rows);
	if (!read)
		return false;
	*server_id = found ? row.server.id : 0;
	return true;
}

bool own_server(struct app *app, const struct req *req, struct str server_code, uint64_t *server_id,
	struct err *err)
{
	uint64_t id = 0;
	if (req->source == AUTH_SQL) {
		if (!find_in_sql(app, req, server_code, &id, err))
			return false;
	} else if (!find_in_segment(app, req, server_code, &id)) {
		id = 0;
	}
	if (id == 0)
		return not_yours(err);
	*server_id = id;
	return true;
}
