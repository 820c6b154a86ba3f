/* What administrators see: see noun_json.h. */
#include "registry/noun_json.h"
#include "common/clock.h"
#include "registry/allocation.h"
#include "registry/client.h"
#include "registry/fine.h"
#include "registry/server.h"

#include "common/base.h"

/* ---- values ---- */

json_t *out_list(const struct rows *rows, int row, int column)
{
	json_t *array = json_array();
	struct row_list list = row_list(rows, row, column);
	for (struct str element; row_list_next(&list, &element);)
		json_array_append_new(array, json_stringn(element.p, element.n));
	return array;
}

json_t *out_words(struct str text)
{
	json_t *list = json_array();
	struct str word;
	while (text.n && str_split(&text, ' ', &word))
		json_array_append_new(list, json_stringn(word.p, word.n));
	return list;
}

json_t *out_text(struct str text)
{
	return text.n ? json_stringn(text.p, text.n) : json_null();
}

json_t *out_time(int64_t wall_us)
{
	char text[CLOCK_TEXT_BYTES];
	bool is_time = wall_us > INT64_MIN + 1 && wall_us < INT64_MAX;
	return is_time ? json_string(clock_utc(wall_us, text)) : json_null();
}

static void set(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

static void set_text(json_t *object, const char *name, const struct rows *rows, int row, int column)
{
	set(object, name, out_text(row_text(rows, row, column)));
}

static void set_number(json_t *object, const char *name, int64_t value)
{
	set(object, name, json_integer(value));
}

static void set_bool(json_t *object, const char *name, bool value)
{
	set(object, name, json_boolean(value));
}

static void set_number_or_null(
	json_t *object, const char *name, const struct rows *rows, int row, int column)
{
	set(object, name,
		row_is_null(rows, row, column) ? json_null()
					       : json_integer(row_i64(rows, row, column)));
}

/* The last three that each of them has. */
static void set_history(json_t *object, const struct rows *rows, int row, int created)
{
	set(object, "created_at", out_time(row_time(rows, row, created)));
	set(object, "updated_at", out_time(row_time(rows, row, created + 1)));
	set_number(object, "version", row_i64(rows, row, created + 2));
}

/* ---- clients ---- */

static void set_calling(json_t *o, const struct rows *rows, int row, const struct shm_client *c)
{
	set_number(o, "allocated_channels", c->allocated_channels);
	set_number(o, "rate_limit", c->rate_limit);
	set_number(o, "calls_per_second", c->calls_per_second);
	set_number(o, "weight", c->weight);
	set_number(o, "requests_per_minute", c->requests_per_minute);
	set_text(o, "active_time_start", rows, row, SHOWN_OPENS);
	set_text(o, "active_time_end", rows, row, SHOWN_CLOSES);
	set(o, "calling_days", out_words(row_text(rows, row, SHOWN_DAYS)));
	set_bool(o, "callee_zone", row_bool(rows, row, SHOWN_CALLEE_ZONE));
	set(o, "timezone", json_string(c->timezone));
	set(o, "region", json_string(c->region));
	set_text(o, "number_check", rows, row, SHOWN_NUMBER_CHECK);
	set(o, "allowed_regions", out_words(row_text(rows, row, SHOWN_REGIONS)));
	set(o, "allowed_types", out_words(row_text(rows, row, SHOWN_TYPES)));
	set(o, "daily_caps", out_words(row_text(rows, row, SHOWN_CAPS)));
	set_bool(o, "auto_dispatch", c->auto_dispatch);
	set_bool(o, "record", row_bool(rows, row, SHOWN_RECORD));
	set_bool(o, "amd", row_bool(rows, row, SHOWN_AMD));
	set(o, "allowed_contexts", out_words(row_text(rows, row, SHOWN_CONTEXTS)));
	set_number_or_null(o, "retention_days", rows, row, SHOWN_RETENTION);
	set(o, "retry", out_words(row_text(rows, row, SHOWN_RETRY)));
	set_number_or_null(o, "attempts_per_number_per_day", rows, row, SHOWN_ATTEMPTS_A_DAY);
}

json_t *client_shown(const struct rows *rows, int row, struct err *err)
{
	struct shm_client c;

	if (!client_from_row(rows, row, &c, err))
		return NULL;
	json_t *o = json_object();
	set_number(o, "id", (int64_t)c.id);
	set(o, "name", json_string(c.name));
	set(o, "accountcode", json_string(c.accountcode));
	set_text(o, "username", rows, row, SHOWN_USERS);
	set(o, "did", json_string(c.did));
	set(o, "phone_number", json_string(c.phone_number));
	set(o, "callbackurl", out_text(str_of(c.callbackurl)));
	set_bool(o, "is_active", c.is_active);
	set(o, "status", json_string(client_status_name(c.status)));
	set_calling(o, rows, row, &c);
	set_number(o, "valid_keys", row_i64(rows, row, SHOWN_KEYS));
	set_bool(o, "has_asyncdatabaseurl", row_bool(rows, row, SHOWN_HAS_ASYNC));
	set_bool(o, "has_syncdatabaseurl", row_bool(rows, row, SHOWN_HAS_SYNC));
	set(o, "created_at", out_time(c.created_us));
	set(o, "updated_at", out_time(c.updated_us));
	set_number(o, "version", row_i64(rows, row, SHOWN_CLIENT_VERSION));
	return o;
}

/* ---- users ---- */

json_t *user_shown(const struct rows *rows, int row, struct err *err)
{
	enum { ID, USERNAME, ROLE, ACCOUNTCODE, CLIENT_ID, LAST, CREATED };
	json_t *o = json_object();
	(void)err;

	set_number(o, "id", row_i64(rows, row, ID));
	set_text(o, "username", rows, row, USERNAME);
	set_text(o, "role", rows, row, ROLE);
	set_text(o, "accountcode", rows, row, ACCOUNTCODE);
	set(o, "client_id",
		row_i64(rows, row, CLIENT_ID) ? json_integer(row_i64(rows, row, CLIENT_ID))
					      : json_null());
	set(o, "last_seen_at", out_time(row_time(rows, row, LAST)));
	set_history(o, rows, row, CREATED);
	return o;
}

/* ---- servers ---- */

json_t *server_shown(const struct rows *rows, int row, struct err *err)
{
	enum {
		AMI_USER = SERVER_COLUMNS,
		TEMPLATE,
		EXTENSION,
		CONTEXTS,
		PREFIXES,
		DIDS,
		ENDPOINTS,
		TLS,
		TLS_VERIFY,
		TLS_CA,
		TLS_NAME,
		COUNT_FOREIGN,
		DIRECTORY,
		RECORDINGS,
		OFFERED,
		CREATED
	};
	struct shm_server s;

	if (!server_from_row(rows, row, 0, &s, err))
		return NULL;
	json_t *o = json_object();
	set_number(o, "id", (int64_t)s.id);
	set(o, "server_code", json_string(s.server_code));
	set(o, "host", json_string(s.host));
	set_number(o, "port", s.port);
	set(o, "status", json_string(server_status_name(s.status)));
	set_number(o, "allowed_active_calls", s.allowed_active_calls);
	set_number(o, "rate_limit", s.rate_limit);
	set_number(o, "calls_per_second", s.calls_per_second);
	set_text(o, "ami_user", rows, row, AMI_USER);
	set_text(o, "channel_template", rows, row, TEMPLATE);
	set_text(o, "extension", rows, row, EXTENSION);
	set(o, "context", out_list(rows, row, CONTEXTS));
	set(o, "offered_contexts", out_list(rows, row, OFFERED));
	set(o, "provided_prefix", out_list(rows, row, PREFIXES));
	set(o, "allocated_dids", out_list(rows, row, DIDS));
	set(o, "provided_endpoints", out_list(rows, row, ENDPOINTS));
	set_text(o, "default_directory", rows, row, DIRECTORY);
	set_text(o, "recording_directory", rows, row, RECORDINGS);
	set_bool(o, "tls", row_bool(rows, row, TLS));
	set_bool(o, "tls_verify", row_bool(rows, row, TLS_VERIFY));
	set_text(o, "tls_ca", rows, row, TLS_CA);
	set_text(o, "tls_name", rows, row, TLS_NAME);
	set_bool(o, "count_foreign_calls", row_bool(rows, row, COUNT_FOREIGN));
	set_history(o, rows, row, CREATED);
	return o;
}

/* ---- allocations ---- */

json_t *allocation_shown(const struct rows *rows, int row, struct err *err)
{
	enum { ACCOUNTCODE = ALLOCATION_COLUMNS, DIDS, AUTOMATIC, CREATED };
	struct allocation_row a;

	if (!allocation_from_row(rows, row, &a, err))
		return NULL;
	json_t *o = json_object();
	set_text(o, "accountcode", rows, row, ACCOUNTCODE);
	set(o, "server_code", json_string(a.server.server_code));
	set_number(o, "client_id", (int64_t)a.allocation.client_id);
	set_number(o, "server_id", (int64_t)a.allocation.server_id);
	set_number(o, "channels", a.allocation.allowed_active_calls);
	set_number(o, "rate_limit", a.allocation.rate_limit);
	set_number(o, "calls_per_second", a.allocation.calls_per_second);
	set(o, "status", json_string(server_status_name(a.allocation.status)));
	set(o, "allocated_dids", out_list(rows, row, DIDS));
	set_bool(o, "automatic", row_bool(rows, row, AUTOMATIC));
	set_history(o, rows, row, CREATED);
	return o;
}
