/* ccsctl dnc load and ccsctl import: files of numbers, ours and those of other dialers. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/dnc_file.h"
#include "registry/dnc_load.h"
#include "registry/load.h"
#include "registry/number_file.h"

#include "common/base.h"

enum { PIECE_BYTES = 64 * 1024, TOLD_EVERY = 100000, REJECTED_SHOWN = 100 };

const struct field dnc_file_fields[] = {
#define FLAG(member, text)	  FIELD_ROW_FLAG(struct dnc_file_input, member, text)
#define TEXT(member, need, ...)	  FIELD_ROW_TEXT(struct dnc_file_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...) FIELD_ROW_NUMBER(struct dnc_file_input, member, need, __VA_ARGS__)
#include "ctl/dnc_file.def"
#undef FLAG
#undef TEXT
#undef NUMBER
};
const size_t dnc_file_fields_n = ARRAY_LEN(dnc_file_fields);

/* ---- the file ---- */

static void tell(uint64_t read)
{
	if (read % TOLD_EVERY == 0 && read)
		(void)fprintf(stderr, "%" PRIu64 " numbers\n", read);
}

static bool push_all(int fd, struct number_file *file, struct err *err)
{
	static char piece[PIECE_BYTES];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(err, ERR_INPUT, "the file cannot be read: %s", strerror(errno));
		if (!number_file_push(file, (struct str){piece, (size_t)n}, err))
			return false;
	}
	return number_file_finish(file, err);
}

static bool read_file(struct str path, enum number_format format, number_record_fn *fn, void *arg,
	struct err *err)
{
	char name[4097];

	if (!str_copy(name, sizeof(name), path))
		return fail(err, ERR_INPUT, "the file's name is too long");
	int fd = str_eq(path, STR("-")) ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, ERR_INPUT, "cannot read %s: %s", name, strerror(errno));
	number_plan_load(); /* a tenth of a second, and a number takes a hundredth of the time */
	struct number_file *file = number_file_new(format, fn, arg);
	bool ok = push_all(fd, file, err);
	number_file_free(file);
	(void)close(fd);
	return ok;
}

static void print_rejected(const json_t *rejected)
{
	const json_t *one;
	size_t i;

	json_array_foreach (rejected, i, one)
		(void)printf("  %s\n", json_string_value(json_object_get(one, "detail")));
}

static json_t *as_json(struct str text)
{
	return json_loadb(text.p, text.n, 0, NULL);
}

/* ---- onto a list ---- */

static bool take_listed(void *arg, const struct number_record *record, struct err *err)
{
	struct dnc_load *load = arg;

	tell(dnc_load_read(load) + 1);
	return dnc_load_number(load, record->line, record->number, err);
}

static void print_listed(
	const struct ctl *ctl, bool dry_run, const struct dnc_load_receipt *receipt)
{
	json_t *rejected = as_json(receipt->rejected);

	if (ctl->json) {
		out_json(json_pack("{s:I, s:I, s:I, s:b, s:O}", "read", (json_int_t)receipt->read,
			"added_count", (json_int_t)receipt->added, "rejected_count",
			(json_int_t)receipt->rejected_n, "dry_run", (int)dry_run, "rejected",
			rejected));
	} else {
		(void)printf("%" PRIu64 " numbers read, %" PRIu64 " added%s, %" PRIu64
			     " are none.\n",
			receipt->read, receipt->added, dry_run ? " (dry run)" : "",
			receipt->rejected_n);
		print_rejected(rejected);
	}
	json_decref(rejected);
}

static bool load_list(struct ctl *ctl, enum number_format format, struct err *err)
{
	const struct dnc_file_input *input = &ctl->input.dnc_file;
	struct ctl_dnc dnc = {
		.client = input->client, .batch_id = input->batch_id, .all = input->all};
	struct dnc_load_receipt receipt;
	struct err broken;

	if (!fields_check(dnc_file_fields, dnc_file_fields_n, input, err) ||
		!ctl_dnc_find(ctl, &dnc, err))
		return false;
	const struct dnc_load_spec spec = {.list = dnc.list,
		.rules = dnc.rules,
		.act = {.actor = ctl_actor(), .source = "file"},
		.dry_run = input->dry_run == 1};
	struct dnc_load *load = dnc_load_new(ctl->db, &spec);
	bool ok = read_file(input->path, format, take_listed, load, err);
	bool kept = dnc_load_finish(load, &receipt, ok ? err : &broken);
	if (ok && kept)
		print_listed(ctl, spec.dry_run, &receipt);
	else if (!ok && kept && receipt.added)
		(void)fail_context(
			err, "%" PRIu64 " numbers before that were added", receipt.added);
	dnc_load_free(load);
	return ok && kept;
}

static bool ends_in(struct str text, struct str end)
{
	return text.n >= end.n && str_case_eq((struct str){text.p + text.n - end.n, end.n}, end);
}

bool dnc_load_file(struct ctl *ctl, struct err *err)
{
	const struct dnc_file_input *input = &ctl->input.dnc_file;
	struct str name = input->format;
	enum number_format format;

	if (!name.p)
		name = ends_in(input->path, STR(".csv"))      ? STR("csv")
		       : ends_in(input->path, STR(".ndjson")) ? STR("ndjson")
							      : STR("lines");
	if (!number_format_find(name, &format))
		return fail(err, ERR_INPUT, "format must be csv, ndjson or lines");
	return load_list(ctl, format, err);
}

bool import_vicidial_dnc(struct ctl *ctl, struct err *err)
{
	return load_list(ctl, NUMBER_FILE_VICIDIAL_DNC, err);
}

bool import_newfies_dnc(struct ctl *ctl, struct err *err)
{
	return load_list(ctl, NUMBER_FILE_NEWFIES_DNC, err);
}

/* ---- into a batch ---- */

struct leads {
	struct load *load; /* NULL: a dry run */
	struct number_rules rules;
	struct strbuf line;
	uint64_t lines, read, rejected_n;
	json_t *rejected; /* of a dry run: the first of them, as receipts have them */
};

/* As a line of NDJSON that has the number of the record's own. */
static bool push_lead(struct leads *leads, const struct number_record *record, struct err *err)
{
	struct strbuf *sb = &leads->line;

	strbuf_reset(sb);
	for (; leads->lines + 1 < record->line; leads->lines++)
		strbuf_putc(sb, '\n');
	strbuf_puts(sb, "{\"phone_number\":");
	strbuf_json(sb, record->number);
	if (record->custom_data.p) {
		strbuf_puts(sb, ",\"custom_data\":");
		strbuf_str(sb, record->custom_data);
	}
	strbuf_puts(sb, "}\n");
	leads->lines++;
	return load_push(leads->load, strbuf_view(sb), err);
}

static bool take_lead(void *arg, const struct number_record *record, struct err *err)
{
	struct leads *leads = arg;
	struct number number;
	struct err why;

	tell(++leads->read);
	if (leads->load)
		return push_lead(leads, record, err);
	if (number_accept(&leads->rules, record->number, &number, &why))
		return true;
	if (leads->rejected_n++ < REJECTED_SHOWN) {
		char detail[300];
		(void)snprintf(
			detail, sizeof(detail), "line %" PRIu64 " %s", record->line, why.text);
		json_array_append_new(
			leads->rejected, json_pack("{s:I, s:s}", "line", (json_int_t)record->line,
						 "detail", detail));
	}
	return true;
}

static void print_leads(const struct ctl *ctl, const struct leads *leads,
	const struct load_spec *spec, const struct load_receipt *receipt)
{
	uint64_t rejected_n = receipt ? receipt->rejected_n : leads->rejected_n;
	uint64_t inserted = receipt ? receipt->inserted : leads->read - leads->rejected_n;
	json_t *rejected = receipt ? as_json(receipt->rejected) : json_incref(leads->rejected);

	if (ctl->json) {
		out_json(json_pack("{s:I, s:I, s:I, s:I, s:b, s:O}", "read",
			(json_int_t)leads->read, "inserted_count", (json_int_t)inserted,
			"suppressed_count", (json_int_t)(receipt ? receipt->suppressed : 0),
			"rejected_count", (json_int_t)rejected_n, "dry_run", receipt == NULL,
			"rejected", rejected));
	} else {
		(void)printf("%" PRIu64 " leads read, %" PRIu64 " in batch %" PRIu64 "%s, %" PRIu64
			     " rejected.\n",
			leads->read, inserted, spec->batch_id, receipt ? "" : " (dry run)",
			rejected_n);
		print_rejected(rejected);
	}
	json_decref(rejected);
}

static bool load_leads(struct ctl *ctl, enum number_format format, struct err *err)
{
	const struct dnc_file_input *input = &ctl->input.dnc_file;
	struct load_receipt receipt;
	struct shm_client client;
	struct leads leads = {.line = STRBUF_INIT, .rejected = NULL};

	if (!fields_check(dnc_file_fields, dnc_file_fields_n, input, err))
		return false;
	if (!input->client.p || input->batch_id == FIELD_NOT_GIVEN)
		return fail(err, ERR_INPUT, "say whose batch it is to be, and its --batch-id");
	if (!ctl_db(ctl, err) || !client_by_accountcode(ctl->db, input->client, &client, err))
		return false;
	leads.rules = client_number_rules(&client, &ctl->conf);
	struct load_spec spec = {.client = &client,
		.rules = leads.rules,
		.batch_id = (uint64_t)input->batch_id,
		.format = LOAD_NDJSON,
		.strict = input->strict == 1,
		.max_entries = (uint64_t)ctl->conf.api_max_load_entries,
		.actor = ctl_actor()};
	bool dry_run = input->dry_run == 1;
	settings_clear(&spec.settings);
	leads.load = dry_run ? NULL : load_new(ctl->db, &spec);
	leads.rejected = json_array();
	bool ok = (dry_run || load_begin(leads.load, err)) &&
		  read_file(input->path, format, take_lead, &leads, err) &&
		  (dry_run || load_finish(leads.load, &receipt, err));
	if (ok)
		print_leads(ctl, &leads, &spec, dry_run ? NULL : &receipt);
	if (leads.load)
		load_free(leads.load);
	json_decref(leads.rejected);
	strbuf_free(&leads.line);
	return ok;
}

bool import_vicidial_leads(struct ctl *ctl, struct err *err)
{
	return load_leads(ctl, NUMBER_FILE_VICIDIAL_LEADS, err);
}

bool import_newfies_contacts(struct ctl *ctl, struct err *err)
{
	return load_leads(ctl, NUMBER_FILE_NEWFIES_CONTACTS, err);
}
