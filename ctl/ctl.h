/* ccsctl: what main.c hands to a command, and what commands share. */
#ifndef CCS_CTL_CTL_H
#define CCS_CTL_CTL_H

#include <jansson.h>

#include "common/conf.h"
#include "common/pool.h"
#include "common/secret.h"
#include "registry/allocation.h"
#include "registry/audit.h"
#include "registry/client.h"
#include "registry/halt.h"
#include "registry/holiday.h"
#include "registry/keyring.h"
#include "registry/noun_json.h"
#include "registry/person.h"
#include "registry/server.h"
#include "registry/settings.h"
#include "registry/webhook.h"
#include "shm/segment.h"

enum { CTL_ARGUMENTS_MAX = 5, CTL_SECRETS_MAX = 8 };

/* What `ccsctl server drain' is told: ctl/drain.def. */
struct drain_input {
#define FLAG(member, ...) int64_t member;
#define TEXT(member, ...) struct str member;
#include "ctl/drain.def"
#undef FLAG
#undef TEXT
};
extern const struct field drain_fields[];
extern const size_t drain_fields_n;

/* What `ccsctl alloc setup' is told: ctl/setup.def. */
struct setup_input {
#define FLAG(member, ...) int64_t member;
#define TEXT(member, ...) struct str member;
#include "ctl/setup.def"
#undef FLAG
#undef TEXT
};
extern const struct field setup_fields[];
extern const size_t setup_fields_n;

/* What `ccsctl subject erase' is told: ctl/subject.def. */
struct subject_input {
#define FLAG(member, ...) int64_t member;
#define TEXT(member, ...) struct str member;
#include "ctl/subject.def"
#undef FLAG
#undef TEXT
};
extern const struct field subject_fields[];
extern const size_t subject_fields_n;

/* What `ccsctl audit verify' is told: ctl/audit_verify.def. */
struct audit_verify_input {
#define TEXT(member, ...) struct str member;
#include "ctl/audit_verify.def"
#undef TEXT
};
extern const struct field audit_verify_fields[];
extern const size_t audit_verify_fields_n;

/* What `ccsctl batch load' is told: ctl/batch_load.def, and the settings of the batch. */
struct batch_load_input {
	struct batch_settings
		settings; /* first, so that its fields are where they are without the rest */
#define FLAG(member, ...)   int64_t member;
#define TEXT(member, ...)   struct str member;
#define NUMBER(member, ...) int64_t member;
#include "ctl/batch_load.def"
#undef FLAG
#undef TEXT
#undef NUMBER
};
extern const struct field batch_load_fields[];
extern const size_t batch_load_fields_n;

/* What `ccsctl events' is told: ctl/events.def. */
struct events_input {
#define FLAG(member, ...)   int64_t member;
#define TEXT(member, ...)   struct str member;
#define NUMBER(member, ...) int64_t member;
#include "ctl/events.def"
#undef FLAG
#undef TEXT
#undef NUMBER
};
extern const struct field events_fields[];
extern const size_t events_fields_n;

/* What `ccsctl holiday list' is told: ctl/holiday.def. */
struct holidays_input {
#define TEXT(member, ...) struct str member;
#include "ctl/holiday.def"
#undef TEXT
};
extern const struct field holidays_fields[];
extern const size_t holidays_fields_n;

/* What `ccsctl holiday load' is told: ctl/holiday_file.def. */
struct holiday_file_input {
#define TEXT(member, ...) struct str member;
#include "ctl/holiday_file.def"
#undef TEXT
};
extern const struct field holiday_file_fields[];
extern const size_t holiday_file_fields_n;

/* What `ccsctl dnc add, remove, check' is told: ctl/dnc.def. */
struct dnc_input {
#define FLAG(member, ...)   int64_t member;
#define TEXT(member, ...)   struct str member;
#define NUMBER(member, ...) int64_t member;
#include "ctl/dnc.def"
#undef FLAG
#undef TEXT
#undef NUMBER
};
extern const struct field dnc_fields[];
extern const size_t dnc_fields_n;

/* What `ccsctl dnc list, export' is told: ctl/dnc_list.def. */
struct dnc_list_input {
#define FLAG(member, ...)   int64_t member;
#define TEXT(member, ...)   struct str member;
#define NUMBER(member, ...) int64_t member;
#include "ctl/dnc_list.def"
#undef FLAG
#undef TEXT
#undef NUMBER
};
extern const struct field dnc_list_fields[];
extern const size_t dnc_list_fields_n;

/* What `ccsctl dnc load and ccsctl import' is told: ctl/dnc_file.def. */
struct dnc_file_input {
#define FLAG(member, ...)   int64_t member;
#define TEXT(member, ...)   struct str member;
#define NUMBER(member, ...) int64_t member;
#include "ctl/dnc_file.def"
#undef FLAG
#undef TEXT
#undef NUMBER
};
extern const struct field dnc_file_fields[];
extern const size_t dnc_file_fields_n;

/* What `ccsctl batch set' is told: which batch, and the settings that are to be changed. */
struct batch_set_input {
	struct batch_settings settings; /* first, as above */
#define TEXT(member, ...)   struct str member;
#define NUMBER(member, ...) int64_t member;
#include "ctl/batch_set.def"
#undef TEXT
#undef NUMBER
};
extern const struct field batch_set_fields[];
extern const size_t batch_set_fields_n;

/* What is looked for in the decision ledger: ctl/ledger_find.def. */
struct ledger_find_input {
#define TEXT(member, ...)   struct str member;
#define NUMBER(member, ...) int64_t member;
#include "ctl/ledger_find.def"
#undef TEXT
#undef NUMBER
};
extern const struct field ledger_find_fields[];
extern const size_t ledger_find_fields_n;

/* A copy of it: ctl/ledger_check.def. */
struct ledger_check_input {
#define TEXT(member, ...) struct str member;
#include "ctl/ledger_check.def"
#undef TEXT
};
extern const struct field ledger_check_fields[];
extern const size_t ledger_check_fields_n;

/* What it is held against: ctl/ledger_verify.def. */
struct ledger_verify_input {
#define TEXT(member, ...) struct str member;
#include "ctl/ledger_verify.def"
#undef TEXT
};
extern const struct field ledger_verify_fields[];
extern const size_t ledger_verify_fields_n;

struct ctl {
	const char *conf_path; /* NULL: the default */
	struct conf conf;
	bool json;	     /* one line for a machine instead of sentences */
	bool yes;	     /* do what cannot be undone without asking */
	uint64_t if_version; /* change only this version; 0: any */
	char *arguments[CTL_ARGUMENTS_MAX];
	int arguments_n;
	union {
		struct client_input client;
		struct person_input person;
		struct server_input server;
		struct allocation_input allocation;
		struct setup_input setup;
		struct halt_input halt;
		struct holiday_input holiday;
		struct holidays_input holidays;
		struct holiday_file_input holiday_file;
		struct key_input key;
		struct rotation_input rotation;
		struct drain_input drain;
		struct batch_load_input batch_load;
		struct dnc_input dnc;
		struct dnc_list_input dnc_list;
		struct dnc_file_input dnc_file;
		struct events_input events;
		struct batch_set_input batch_set;
		struct audit_filter audit;
		struct subject_input subject;
		struct audit_verify_input audit_verify;
		struct webhook_secret_input webhook_secret;
		struct webhook_replay_input webhook_replay;
		struct ledger_check_input ledger_check;
		struct ledger_find_input ledger_find;
		struct ledger_verify_input ledger_verify;
	} input;
	/* What input borrows from: a JSON file, and secrets, which are wiped at the end. */
	json_t *file;
	struct strbuf secrets[CTL_SECRETS_MAX];
	int secrets_n;
	struct db *db; /* as the owner, once ctl_db has been called */
};

/* Prints its own answer; on false, main prints err. */
typedef bool command_fn(struct ctl *ctl, struct err *err);

struct command {
	const char *noun, *verb; /* verb "": a command of one word */
	const char *arguments;	 /* "CLIENT SERVER"; in brackets when they may be left out */
	const struct field *fields;
	const size_t *fields_n;
	bool needs_conf;
	command_fn *run;
	const char *help;
};
extern const struct command commands[];
extern const size_t commands_n;

#define COMMAND(noun, verb, arguments, fields, needs_conf, run, help) command_fn run;
#include "ctl/commands.def"
#undef COMMAND

/* Reads the words behind the command into ctl; on a mistake it says so and ends the process with
 * status 2. argv[0] is what the usage line begins with. */
void options_read(struct ctl *ctl, const struct command *command, int argc, char **argv);

/* Every option of a command: its name without dashes, what its value is (NULL: it has none), what it is for. */
typedef void option_fn(void *arg, const char *name, const char *value, const char *help);
void options_each(const struct command *command, option_fn *tell, void *arg);

/* Prints the completion for bash, or the manual page: made of the same tables as the commands themselves. */
void print_completion(void);
void print_manual(void);

/* Frees and wipes what options_read has kept. */
void options_free(struct ctl *ctl);

/* Connects as the owner. */
MUST_USE bool ctl_db(struct ctl *ctl, struct err *err);

/* Attaches .state for reading; without a dispatcher there is none, and err says so. */
MUST_USE bool ctl_state(const struct ctl *ctl, struct segment *seg, struct err *err);

/* Nothing in section [nginx] would become something else in nginx's configuration. */
MUST_USE bool ctl_check_nginx(const struct conf *conf, struct err *err);

/* Has PostgreSQL connections for so many workers, twice while they roll? After ctl_db. */
MUST_USE bool workers_fit_database(struct ctl *ctl, const int numbers[POOL__N], struct err *err);

/* Who makes a change, for the audit: "ccsctl:root". */
const char *ctl_actor(void);

/* Until the dispatcher has acknowledged a control row; *took_us says how long that was. BUSY after five seconds: it does not run,
 * or PostgreSQL does not. */
MUST_USE bool ctl_wait(struct ctl *ctl, uint64_t control_id, int64_t *took_us, struct err *err);

/* After a committed change of a client: what the segment says about it is void, if there is one. */
void ctl_changed(const struct ctl *ctl, uint64_t client_id);

/* Prints object on one line and drops it. */
void out_json(json_t *object);

/* What is about to be done cannot be undone: true with --yes, or when somebody at a terminal says so. loses is a sentence without
 * its full stop. */
MUST_USE bool ctl_confirm(const struct ctl *ctl, struct err *err, const char *loses, ...)
	PRINTF(3, 4);

/* What a change or a deletion begins with: who asks, and --if-version. */
struct edit ctl_edit(const struct ctl *ctl);

/* Prints one, or a list under this name, as registry/noun_json.h has them. */
MUST_USE bool out_noun(struct ctl *ctl, enum noun noun, const struct which *which, struct err *err);
MUST_USE bool out_nouns(struct ctl *ctl, enum noun noun, const struct listing *listing,
	const char *name, struct err *err);

/* Prints shares as a table: cmd_alloc.c. */
MUST_USE bool print_shares(struct ctl *ctl, const struct listing *listing, struct err *err);

/* Answers a change: with these ids and names (object is taken), the new version and what is different. */
void out_changed(const struct ctl *ctl, json_t *object, const struct edit *edit, const char *what,
	struct str name);

#endif
