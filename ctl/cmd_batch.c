/* ccsctl batch load: a file of numbers into a client's queue, as POST /queues/batches/{batch_id}/entries. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "registry/fine.h"
#include "registry/load.h"

#include "common/base.h"

enum { PIECE_BYTES = 64 * 1024, TOLD_EVERY = 100000 };

const struct field batch_load_fields[] = {
#define FLAG(member, text)	FIELD_ROW_FLAG(struct batch_load_input, member, text)
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct batch_load_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...)                                                                  \
	FIELD_ROW_NUMBER(struct batch_load_input, member, need, __VA_ARGS__)
#include "ctl/batch_load.def"
#undef FLAG
#undef TEXT
#undef NUMBER
#define TEXT(member, need, ...)	  FIELD_ROW_TEXT(struct batch_settings, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...) FIELD_ROW_NUMBER(struct batch_settings, member, need, __VA_ARGS__)
#define BOOL(member, need, ...)	  FIELD_ROW_BOOL(struct batch_settings, member, need, __VA_ARGS__)
#define LIST(member, ...)	  FIELD_ROW_LIST(struct batch_settings, member, __VA_ARGS__)
#include "registry/batch.def"
#undef TEXT
#undef NUMBER
#undef BOOL
#undef LIST
};
const size_t batch_load_fields_n = ARRAY_LEN(batch_load_fields);

static uint64_t number_or_0(int64_t number)
{
	return number == FIELD_NOT_GIVEN ? 0 : (uint64_t)number;
}

static bool ends_in(struct str text, struct str end)
{
	return text.n >= end.n && str_case_eq((struct str){text.p + text.n - end.n, end.n}, end);
}

static bool read_format(
	const struct batch_load_input *input, enum load_format *format, struct err *err)
{
	bool by_name = !input->format.p;
	struct str path = input->path, said = input->format;

	if (by_name ? ends_in(path, STR(".csv")) : str_eq(said, STR("csv")))
		*format = LOAD_CSV;
	else if (by_name ? ends_in(path, STR(".ndjson")) || ends_in(path, STR(".jsonl"))
			 : str_eq(said, STR("ndjson")))
		*format = LOAD_NDJSON;
	else
		return fail(err, ERR_INPUT,
			by_name ? "the file's name ends neither in .csv nor in .ndjson; say "
				  "--format=csv or --format=ndjson"
				: "format must be csv or ndjson");
	return true;
}

static bool read_separator(const struct batch_load_input *input, char *separator, struct err *err)
{
	struct str said = input->separator;

	*separator = !said.p || str_eq(said, STR("comma")) ? ','
		     : str_eq(said, STR("semicolon"))	   ? ';'
		     : str_eq(said, STR("tab"))		   ? '\t'
							   : '\0';
	return *separator || fail(err, ERR_INPUT, "separator must be comma, semicolon or tab");
}

static bool find_client(struct ctl *ctl, struct shm_client *client, struct err *err)
{
	const struct batch_load_input *input = &ctl->input.batch_load;
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_text(&args, input->client);
	bool ok = db_query(ctl->db, SQL_CLIENT_BY_ACCOUNTCODE, &args, &rows, err);
	args_free(&args);
	if (ok && rows.n == 0)
		ok = fail(err, ERR_MISSING, "no client has accountcode %.*s", (int)input->client.n,
			input->client.p);
	ok = ok && client_from_row(&rows, 0, client, err);
	rows_free(&rows);
	return ok;
}

static bool find_queue(struct ctl *ctl, struct load_spec *spec, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	if (spec->queue_id == 0)
		return true;
	if (!settings_of_part(&spec->settings, err))
		return false;
	arg_i64(&args, (int64_t)spec->client->id);
	arg_i64(&args, (int64_t)spec->queue_id);
	arg_bool(&args, true);
	bool ok = db_query(ctl->db, SQL_QUEUE_MASTER_FIND, &args, &rows, err);
	args_free(&args);
	if (ok && rows.n == 0)
		ok = fail(err, ERR_MISSING, "client %s has no batch %" PRIu64,
			spec->client->accountcode, spec->queue_id);
	if (ok)
		spec->queue_id = (uint64_t)row_i64(&rows, 0, 0);
	rows_free(&rows);
	return ok;
}

/* ---- the file, and how far it is ---- */

struct watched {
	struct load *load;
	uint64_t told; /* entries */
	off_t size;    /* 0: not known */
};

static void tell(struct watched *watched)
{
	struct load_progress now = load_progress(watched->load);
	bool is_terminal = isatty(STDERR_FILENO);

	if (now.entries - watched->told < TOLD_EVERY)
		return;
	watched->told = now.entries - now.entries % TOLD_EVERY;
	(void)fprintf(stderr, "%" PRIu64 " entries", now.entries);
	if (watched->size)
		(void)fprintf(stderr, ", %d %% of the file",
			(int)(100 * now.bytes / (uint64_t)watched->size));
	(void)fputs(is_terminal ? "\r" : "\n", stderr);
}

static bool read_file(int fd, struct watched *watched, struct err *err)
{
	static char piece[PIECE_BYTES];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(err, ERR_INPUT, "the file cannot be read: %s", strerror(errno));
		if (!load_push(watched->load, (struct str){piece, (size_t)n}, err))
			return false;
		tell(watched);
	}
	return true;
}

static bool open_file(const struct batch_load_input *input, int *fd, off_t *size, struct err *err)
{
	char path[4097];
	struct stat facts;

	if (!str_copy(path, sizeof(path), input->path))
		return fail(err, ERR_INPUT, "the file's name is too long");
	bool is_stdin = str_eq(input->path, STR("-"));
	*fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return fail(err, ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
	*size = fstat(*fd, &facts) == 0 && S_ISREG(facts.st_mode) ? facts.st_size : 0;
	return true;
}

static void print(
	const struct ctl *ctl, const struct load_spec *spec, const struct load_receipt *receipt)
{
	if (ctl->json) {
		out_json(json_pack("{s:I, s:I, s:I, s:I, s:b, s:o}", "batch_id",
			(json_int_t)spec->batch_id, "queue_id",
			(json_int_t)receipt->queue_master_id, "inserted_count",
			(json_int_t)receipt->inserted, "rejected_count",
			(json_int_t)receipt->rejected_n, "replayed", (int)receipt->is_replay,
			"rejected", json_loadb(receipt->rejected.p, receipt->rejected.n, 0, NULL)));
		return;
	}
	(void)printf("Batch %" PRIu64 " of client %s%s: %" PRIu64 " entries, %" PRIu64
		     " rejected.\n",
		spec->batch_id, spec->client->accountcode,
		receipt->is_replay ? " was loaded before" : " is loaded", receipt->inserted,
		receipt->rejected_n);
	json_t *rejected = json_loadb(receipt->rejected.p, receipt->rejected.n, 0, NULL), *one;
	size_t i;
	json_array_foreach (rejected, i, one)
		(void)printf("  %s\n", json_string_value(json_object_get(one, "detail")));
	json_decref(rejected);
}

static bool load_file(struct ctl *ctl, const struct load_spec *spec, struct err *err)
{
	struct watched watched = {.load = NULL};
	struct load_receipt receipt;
	int fd = -1;

	if (!open_file(&ctl->input.batch_load, &fd, &watched.size, err))
		return false;
	watched.load = load_new(ctl->db, spec);
	bool ok = load_begin(watched.load, err) && read_file(fd, &watched, err) &&
		  load_finish(watched.load, &receipt, err);
	if (ok)
		print(ctl, spec, &receipt);
	load_free(watched.load);
	(void)close(fd);
	return ok;
}

bool batch_load(struct ctl *ctl, struct err *err)
{
	const struct batch_load_input *input = &ctl->input.batch_load;
	struct shm_client client;
	struct load_spec spec = {.client = &client,
		.batch_id = number_or_0(input->batch_id),
		.queue_id = number_or_0(input->queue_id),
		.settings = input->settings,
		.strict = input->strict == true,
		.max_entries = (uint64_t)ctl->conf.api_max_load_entries,
		.actor = ctl_actor()};

	if (!fields_check(batch_load_fields, batch_load_fields_n, input, err) ||
		!read_format(input, &spec.format, err) ||
		!read_separator(input, &spec.separator, err) || !ctl_db(ctl, err) ||
		!find_client(ctl, &client, err) || !find_queue(ctl, &spec, err))
		return false;
	spec.rules = client_number_rules(&client, &ctl->conf);
	return load_file(ctl, &spec, err);
}
