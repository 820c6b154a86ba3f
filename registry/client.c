/* Clients: see client.h. */
#include "registry/client.h"
#include "common/address_wall.h"
#include "common/clock.h"
#include "registry/change.h"
#include "registry/explain.h"
#include "registry/field_args.h"
#include "registry/fine.h"
#include "registry/password.h"
#include "registry/retry_rules.h"
#include "registry/setup.h"
#include "shm/hours.h"
#include "shm/network.h"
#include "shm/policy.h"
#include "shm/scope.h"
#include "sql/client_url.h"

#include "common/base.h"

const struct field client_fields[] = {
#define TEXT(member, need, ...)	  FIELD_ROW_TEXT(struct client_input, member, need, __VA_ARGS__)
#define SECRET(member, need, ...) FIELD_ROW_SECRET(struct client_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...) FIELD_ROW_NUMBER(struct client_input, member, need, __VA_ARGS__)
#define BOOL(member, need, help)  FIELD_ROW_BOOL(struct client_input, member, need, help)
#define LIST(member, ...)	  FIELD_ROW_LIST(struct client_input, member, __VA_ARGS__)
#include "registry/client.def"
#undef TEXT
#undef SECRET
#undef NUMBER
#undef BOOL
#undef LIST
};
const size_t client_fields_n = ARRAY_LEN(client_fields);

static struct str or_default(struct str given, const char *otherwise)
{
	return given.p ? given : str_of(otherwise);
}

/* "" for none. */
static void arg_sealed(struct sql_args *args, const struct secret_key *secret, struct str url)
{
	struct strbuf sealed = STRBUF_INIT;

	if (!url.p) {
		arg_null(args, BYTEAOID);
		return;
	}
	if (url.n)
		secret_seal(secret, url, &sealed);
	arg_bytes(args, sealed.n ? sealed.p : "", sealed.n);
	strbuf_free(&sealed);
}

/* Columns of client as CLIENT_INSERT and CLIENT_UPDATE number them; null where nothing is given. */
static bool client_args(struct sql_args *args, const struct secret_key *secret,
	const struct client_input *input, struct err *err)
{
	char opens[DAY_TIME_BYTES], closes[DAY_TIME_BYTES];

	if ((input->active_time_start.p && !day_time_read(input->active_time_start, opens)) ||
		(input->active_time_end.p && !day_time_read(input->active_time_end, closes)))
		return fail(err, ERR_INTERNAL, "an unchecked time of day");
	arg_text(args, input->accountcode);
	arg_text_or_null(args, input->name);
	arg_text_or_null(args, input->did);
	arg_text_or_null(args, input->phone_number);
	arg_number(args, input->allocated_channels);
	arg_number(args, input->rate_limit);
	arg_number(args, input->calls_per_second);
	arg_number(args, input->requests_per_minute);
	arg_number(args, input->weight);
	arg_text_or_null(args, input->callbackurl);
	arg_text_or_null(args, input->timezone);
	arg_text_or_null(args, input->region);
	arg_text_or_null(args, str_of(input->active_time_start.p ? opens : NULL));
	arg_text_or_null(args, str_of(input->active_time_end.p ? closes : NULL));
	arg_truth(args, input->auto_dispatch);
	arg_truth(args, input->is_active);
	arg_text_or_null(args, input->status);
	arg_sealed(args, secret, input->asyncdatabaseurl);
	arg_sealed(args, secret, input->syncdatabaseurl);
	arg_text_or_null(args, input->number_check);
	arg_list(args, &input->allowed_regions);
	arg_list(args, &input->allowed_types);
	arg_list(args, &input->daily_caps);
	arg_number(args, input->retention_days);
	arg_list(args, &input->calling_days);
	arg_truth(args, input->callee_zone);
	arg_list(args, &input->retry);
	arg_number(args, input->attempts_per_number_per_day);
	arg_truth(args, input->record);
	arg_truth(args, input->amd);
	arg_list(args, &input->allowed_contexts);
	return true;
}

/* CLIENT_INSERT or CLIENT_UPDATE; MISSING when it has found no client. */
static bool write_client(struct db *db, enum sql_query query, const struct secret_key *secret,
	const struct client_input *input, uint64_t *client_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	bool ok = client_args(&args, secret, input, err) && db_query(db, query, &args, &rows, err);

	args_free(&args);
	if (!ok)
		return false;
	if (rows.n == 1)
		*client_id = (uint64_t)row_i64(&rows, 0, 0);
	else
		ok = fail(err, ERR_MISSING, "no client has accountcode %.*s",
			(int)input->accountcode.n, input->accountcode.p);
	rows_free(&rows);
	return ok;
}

static bool insert_user(
	struct db *db, uint64_t client_id, struct str username, const char *hash, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)client_id);
	arg_text(&args, username);
	arg_text(&args, str_of(hash));
	bool ok = db_query(db, SQL_USER_INSERT, &args, NULL, err);
	args_free(&args);
	return ok;
}

static bool check_timezone(struct db *db, struct str name, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_text(&args, name);
	bool ok = db_query(db, SQL_TIMEZONE_EXISTS, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	bool exists = row_bool(&rows, 0, 0);
	rows_free(&rows);
	return (exists && zone_find(name)) ||
	       fail_code(err, ERR_INPUT, "invalid_field",
		       "timezone \"%.*s\" is unknown to %s; send a name such as Asia/Kolkata",
		       (int)MIN(name.n, (size_t)63), name.p,
		       exists ? "this machine's tzdata" : "PostgreSQL");
}

static bool has_key_for(
	const struct secret_key *secret, const struct client_input *input, struct err *err)
{
	return secret || (input->asyncdatabaseurl.n == 0 && input->syncdatabaseurl.n == 0) ||
	       fail(err, ERR_INTERNAL, "no key to encrypt the database address with");
}

/* Not whether the host has an address or the port is one: that shows, and is told, when it is connected to. */
static bool check_database(const struct address_wall *wall, const char *member, struct str text,
	struct client_url *url, struct err *err)
{
	struct err why;

	if (text.n == 0 || (client_url_parse(text, url, &why) &&
				   wall_check_address(wall, str_of(url->host), &why)))
		return true;
	return fail_code(err, ERR_INPUT, "invalid_field", "%s: %s", member, why.text);
}

static bool check_databases(
	const struct address_wall *wall, const struct client_input *input, struct err *err)
{
	struct client_url one, other;
	bool ok = check_database(wall, "asyncdatabaseurl", input->asyncdatabaseurl, &one, err) &&
		  check_database(wall, "syncdatabaseurl", input->syncdatabaseurl, &other, err);
	if (ok && input->asyncdatabaseurl.n && input->syncdatabaseurl.n &&
		!client_url_same_database(&one, &other))
		ok = fail_code(err, ERR_INPUT, "invalid_field",
			"syncdatabaseurl must name the same database as asyncdatabaseurl");
	secret_wipe(&one, sizeof(one));
	secret_wipe(&other, sizeof(other));
	return ok;
}

/* What we shall connect to is public, or the operator lets it be reached. The courier looks at each address again. */
static bool check_reach(const struct conf *conf, const struct client_input *input, struct err *err)
{
	struct address_wall wall;

	return wall_open(&wall, conf->courier_private_networks, err) &&
	       (input->callbackurl.n == 0 ||
		       wall_check_url(&wall, "callbackurl", input->callbackurl, err)) &&
	       check_databases(&wall, input, err);
}

static bool days_differ(const struct str_list *days, struct err *err)
{
	enum { NAME = 3 }; /* "mon" */
	for (int i = 1; i < days->n; i++)
		for (int j = 0; j < i; j++)
			if (memcmp(days->v[i].p, days->v[j].p, NAME) == 0)
				return fail_code(err, ERR_INPUT, "invalid_field",
					"calling_days names %.3s twice; send each weekday once",
					days->v[i].p);
	return true;
}

/* With what the configuration says where the input does not. */
static struct client_input with_defaults(const struct client_input *input, const struct conf *conf)
{
	struct client_input full = *input;
	full.timezone = or_default(input->timezone, conf->common_default_timezone);
	full.region = or_default(input->region, conf->common_default_region);
	return full;
}

/* What the audit keeps: no names of people, no secrets. */
static void describe(
	const struct client_input *input, const struct client_created *created, struct strbuf *out)
{
	strbuf_printf(out,
		"{\"client_id\":%llu,\"allocated_channels\":%lld,\"rate_limit\":%lld,\"key\":",
		(unsigned long long)created->client_id, (long long)input->allocated_channels,
		(long long)input->rate_limit);
	strbuf_json(out, (struct str){created->key.key, TOKEN_SHOWN_CHARS});
	strbuf_putc(out, '}');
}

static bool store(struct db *db, const struct secret_key *secret, const char *actor,
	const struct client_input *input, const char *hash, struct client_created *created,
	struct err *err)
{
	char accountcode[48];
	struct strbuf detail = STRBUF_INIT;
	struct key_wish key = {.name = STR("default"), .scopes = SCOPE_ALL};

	if (!db_begin(db, err) ||
		!write_client(db, SQL_CLIENT_INSERT, secret, input, &created->client_id, err) ||
		!insert_user(db, created->client_id, input->username, hash, err))
		return false;
	key.client_id = created->client_id;
	if (!key_create(db, &key, &created->key, err) ||
		!change_announce(db, created->client_id, err))
		return false;
	describe(input, created, &detail);
	bool ok = str_copy(accountcode, sizeof(accountcode), input->accountcode) &&
		  change_record(db, actor, "client.create", accountcode, detail.p, err) &&
		  db_commit(db, err);
	strbuf_free(&detail);
	return ok;
}

bool client_create(struct db *db, const struct conf *conf, const struct secret_key *secret,
	const char *actor, const struct client_input *input, struct client_created *created,
	struct err *err)
{
	struct client_created made = {0};
	char hash[PASSWORD_HASH_BYTES];
	struct client_input full = with_defaults(input, conf);

	if (!fields_check(client_fields, client_fields_n, input, err) ||
		!days_differ(&input->calling_days, err) ||
		!retry_rules_differ(&input->retry, err) || !check_reach(conf, input, err) ||
		!has_key_for(secret, input, err) || !db_ready(db, err) ||
		!check_timezone(db, full.timezone, err) ||
		!password_hash(input->password, hash, err))
		return false;
	if (!store(db, secret, actor, &full, hash, &made, err)) {
		db_rollback(db);
		secret_wipe(&made, sizeof(made));
		return explain_constraint(db, err);
	}
	*created = made;
	secret_wipe(&made, sizeof(made));
	return true;
}

/* ---- changes ---- */

/* Something is given, and nothing that is not for the operator to change. */
static bool is_change(const struct client_input *input, struct err *err)
{
	bool is_empty = true;

	for (size_t i = 1; i < client_fields_n; i++)
		is_empty &= !field_is_given(&client_fields[i], input);
	if (is_empty)
		return fail(err, ERR_INPUT, "nothing to change is given");
	if (input->username.p || input->password.p)
		return fail(err, ERR_INPUT,
			"username and password are not changed here: a user changes the password "
			"by POST /auth/change-password");
	return true;
}

bool client_change(struct db *db, const struct conf *conf, const struct secret_key *secret,
	const struct which *which, struct edit *edit, const struct client_input *input,
	struct err *err)
{
	struct client_input full = *input;
	uint64_t written;

	if (!is_change(input, err) ||
		!fields_check_given(client_fields, client_fields_n, input, err) ||
		!days_differ(&input->calling_days, err) ||
		!retry_rules_differ(&input->retry, err) || !check_reach(conf, input, err) ||
		!has_key_for(secret, input, err) || !db_ready(db, err) ||
		(input->timezone.p && !check_timezone(db, input->timezone, err)) ||
		!edit_begin(db, NOUN_CLIENT, which, edit, err))
		return false;
	if (!edit_keeps(edit, "accountcode", &full.accountcode, err) ||
		!write_client(db, SQL_CLIENT_UPDATE, secret, &full, &written, err) ||
		!setup_follow(db, edit->id, err) || !change_announce(db, edit->id, err)) {
		edit_undo(db, edit);
		return explain_constraint(db, err);
	}
	return edit_commit(
		       db, NOUN_CLIENT, edit, client_fields + 1, client_fields_n - 1, input, err) ||
	       explain_constraint(db, err);
}

/* ---- rows ---- */

static uint32_t number(const struct rows *rows, int row, int column)
{
	return (uint32_t)row_i64(rows, row, column);
}

bool client_from_row(const struct rows *rows, int row, struct shm_client *out, struct err *err)
{
	struct shm_client c = {0};
	if (row_is_null(rows, row, 0)) {
		*out = c;
		return true;
	}
	bool fits = row_copy(rows, row, 1, c.name, sizeof(c.name)) &&
		    row_copy(rows, row, 2, c.accountcode, sizeof(c.accountcode)) &&
		    row_copy(rows, row, 3, c.did, sizeof(c.did)) &&
		    row_copy(rows, row, 4, c.phone_number, sizeof(c.phone_number)) &&
		    row_copy(rows, row, 5, c.callbackurl, sizeof(c.callbackurl)) &&
		    row_copy(rows, row, 6, c.timezone, sizeof(c.timezone)) &&
		    row_copy(rows, row, 7, c.region, sizeof(c.region)) &&
		    client_status_read(row_text(rows, row, 13), &c.status) &&
		    number_check_read(row_text(rows, row, 20), &c.policy.check) &&
		    policy_read(&c.policy, row_text(rows, row, 21), row_text(rows, row, 22));

	if (!fits)
		return fail(err, ERR_INTERNAL, "client %lld does not fit the segment's row",
			(long long)row_i64(rows, row, 0));
	c.id = (uint64_t)row_i64(rows, row, 0);
	c.allocated_channels = number(rows, row, 8);
	c.rate_limit = number(rows, row, 9);
	c.calls_per_second = number(rows, row, 10);
	c.requests_per_minute = number(rows, row, 11);
	c.weight = number(rows, row, 12);
	c.is_active = row_bool(rows, row, 14);
	c.auto_dispatch = row_bool(rows, row, 15);
	c.is_test = row_bool(rows, row, 26);
	const struct hours_text hours = {row_i64(rows, row, 16), row_i64(rows, row, 17),
		row_text(rows, row, 23), row_text(rows, row, 25), row_bool(rows, row, 24)};
	(void)hours_read(&c, &hours, clock_wall_us());
	c.created_us = row_time(rows, row, 18);
	c.updated_us = row_time(rows, row, 19);
	*out = c;
	return true;
}

static bool key_from_row(const struct rows *rows, const struct digest *digest, uint64_t client_id,
	struct shm_key *key, struct err *err)
{
	int64_t expires_us = row_time(rows, 0, CLIENT_COLUMNS + 1);

	if (row_bool(rows, 0, CLIENT_COLUMNS + 2))
		return fail_code(err, ERR_AUTH, "key_revoked", "this API key has been revoked");
	if (row_bool(rows, 0, CLIENT_COLUMNS + 3))
		return fail_code(err, ERR_AUTH, "key_expired", "this API key has expired");
	uint32_t scopes;
	(void)scopes_read(row_text(rows, 0, CLIENT_COLUMNS + 4), ' ', &scopes);
	*key = (struct shm_key){
		.digest = *digest,
		.id = (uint64_t)row_i64(rows, 0, CLIENT_COLUMNS),
		.client_id = client_id,
		.expires_us = expires_us == INT64_MIN ? 0 : expires_us,
		.scopes = scopes,
	};
	(void)net_list_read(row_text(rows, 0, CLIENT_COLUMNS + 5), key);
	return true;
}

static bool by_digest(struct db *db, enum sql_query query, const struct digest *digest,
	struct shm_client *client, struct shm_key *key, uint64_t *server_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	struct shm_client found;

	arg_bytes(&args, digest->b, sizeof(digest->b));
	bool ok = db_query(db, query, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1 ? client_from_row(&rows, 0, &found, err) &&
				   key_from_row(&rows, digest, found.id, key, err)
			 : fail(err, ERR_MISSING, "nobody has this credential");
	if (ok)
		*server_id = (uint64_t)row_i64(&rows, 0, CLIENT_COLUMNS + 6);
	rows_free(&rows);
	if (ok)
		*client = found;
	return ok;
}

bool client_by_key(struct db *db, const struct digest *digest, struct shm_client *client,
	struct shm_key *key, uint64_t *server_id, struct err *err)
{
	return by_digest(db, SQL_CLIENT_BY_KEY, digest, client, key, server_id, err);
}

bool client_by_certificate(struct db *db, const struct digest *fingerprint,
	struct shm_client *client, struct shm_key *key, uint64_t *server_id, struct err *err)
{
	return by_digest(db, SQL_CLIENT_BY_CERTIFICATE, fingerprint, client, key, server_id, err);
}

bool client_by_accountcode(
	struct db *db, struct str accountcode, struct shm_client *client, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_text(&args, accountcode);
	bool ok = db_query(db, SQL_CLIENT_BY_ACCOUNTCODE, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1 ? client_from_row(&rows, 0, client, err)
			 : fail(err, ERR_MISSING, "no client has accountcode %.*s",
				   (int)MIN(accountcode.n, (size_t)40), accountcode.p);
	rows_free(&rows);
	return ok;
}

struct number_rules client_number_rules(const struct shm_client *client, const struct conf *conf)
{
	uint32_t check = client->policy.check;
	if (check == NUMBER_CHECK_DEFAULT &&
		!number_check_read(str_of(conf->common_number_check), &check))
		check = NUMBER_CHECK_FULL;
	return (struct number_rules){client->region, (enum number_check)check, &client->policy};
}
