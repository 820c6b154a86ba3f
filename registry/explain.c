/* Constraints in words: see explain.h. */
#include "registry/explain.h"

#include "common/base.h"

static const struct {
	const char *constraint, *code, *text;
} sentences[] = {
	{"client_accountcode_key", "accountcode_taken", "accountcode is taken by another client"},
	{"app_user_username_key", "username_taken", "username is taken by another user"},
	{"client_certificate_pkey", "certificate_taken",
		"the certificate stands for a client already"},
	{"allocation_pkey", "allocation_taken",
		"the client has a share of that server already; change that one"},
	{"server_server_code_key", "server_code_taken", "server_code is taken by another server"},
};

bool explain_constraint(const struct db *db, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(sentences); i++)
		if (str_eq(str_of(db_constraint(db)), str_of(sentences[i].constraint)))
			return fail_code(
				err, err->kind, sentences[i].code, "%s", sentences[i].text);
	return false;
}
