/* ccsctl client-cert: add, list, remove. */
#include <errno.h>
#include <stdio.h>

#include "common/clock.h"
#include "ctl/ctl.h"
#include "registry/certificate.h"

#include "common/base.h"

enum { FILE_BYTES = 64 * 1024, HEX_BYTES = 2 * DIGEST_BYTES + 1 };

static bool read_file(const char *path, struct certificate *certificate, struct err *err)
{
	char pem[FILE_BYTES];
	FILE *file = fopen(path, "re");

	if (!file)
		return fail(err, ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
	size_t n = fread(pem, 1, sizeof(pem), file);
	(void)fclose(file);
	return certificate_read((struct str){pem, n}, certificate, err) ||
	       fail_context(err, "%s", path);
}

bool client_cert_add(struct ctl *ctl, struct err *err)
{
	struct certificate certificate;
	struct certificate_owner owner;
	char hex[HEX_BYTES], until[CLOCK_TEXT_BYTES];

	if (!read_file(ctl->arguments[1], &certificate, err))
		return false;
	if (certificate.not_after_us <= clock_wall_us())
		return fail(err, ERR_INPUT, "%s: the certificate has expired", ctl->arguments[1]);
	if (!ctl_db(ctl, err) || !certificate_add(ctl->db, ctl_actor(), str_of(ctl->arguments[0]),
					 &certificate, &owner, err))
		return false;
	ctl_changed(ctl, owner.client_id);
	hex_encode(certificate.fingerprint.b, DIGEST_BYTES, hex);
	if (ctl->json)
		out_json(json_pack("{s:s, s:s, s:s, s:o}", "accountcode", owner.accountcode,
			"fingerprint", hex, "subject", certificate.subject, "not_after",
			out_time(certificate.not_after_us)));
	else
		(void)printf("Whoever connects with %s is client %s, until %s.\nSHA-256 %s\n",
			certificate.subject, owner.accountcode,
			clock_utc(certificate.not_after_us, until), hex);
	return true;
}

static void fingerprint_at(const struct rows *rows, int row, char hex[HEX_BYTES])
{
	struct str bytes = row_bytes(rows, row, 1);
	hex_encode(bytes.p, MIN(bytes.n, (size_t)DIGEST_BYTES), hex);
}

static json_t *certificates_json(const struct rows *rows)
{
	json_t *list = json_array();

	for (int row = 0; row < rows->n; row++) {
		struct str accountcode = row_text(rows, row, 0), subject = row_text(rows, row, 2);
		char hex[HEX_BYTES];
		fingerprint_at(rows, row, hex);
		json_array_append_new(
			list, json_pack("{s:s%, s:s, s:s%, s:o, s:o}", "accountcode", accountcode.p,
				      accountcode.n, "fingerprint", hex, "subject", subject.p,
				      subject.n, "not_after", out_time(row_time(rows, row, 3)),
				      "created_at", out_time(row_time(rows, row, 4))));
	}
	return list;
}

static void print_certificates(const struct rows *rows)
{
	(void)printf("%-20s %-64s  %-20s  %s\n", "ACCOUNTCODE", "SHA-256", "GOOD UNTIL", "SUBJECT");
	for (int row = 0; row < rows->n; row++) {
		struct str accountcode = row_text(rows, row, 0), subject = row_text(rows, row, 2);
		char hex[HEX_BYTES], until[CLOCK_TEXT_BYTES];
		fingerprint_at(rows, row, hex);
		(void)printf("%-20.*s %s  %-20s  %.*s\n", (int)accountcode.n, accountcode.p, hex,
			clock_utc(row_time(rows, row, 3), until), (int)subject.n, subject.p);
	}
	(void)printf("%d certificate%s.\n", rows->n, rows->n == 1 ? "" : "s");
}

bool client_cert_list(struct ctl *ctl, struct err *err)
{
	struct str accountcode = {NULL, 0};
	struct rows rows = ROWS_INIT;

	if (ctl->arguments_n)
		accountcode = str_of(ctl->arguments[0]);
	if (!ctl_db(ctl, err) || !certificate_list(ctl->db, accountcode, &rows, err))
		return false;
	if (ctl->json)
		out_json(json_pack("{s:o}", "certificates", certificates_json(&rows)));
	else
		print_certificates(&rows);
	rows_free(&rows);
	return true;
}

/* As openssl prints it, too: with colons. */
static bool read_fingerprint(const char *text, struct digest *fingerprint, struct err *err)
{
	char digits[HEX_BYTES];
	size_t n = 0;

	for (const char *p = text; *p && n < sizeof(digits) - 1; p++)
		if (*p != ':')
			digits[n++] = *p;
	return hex_decode((struct str){digits, n}, fingerprint->b, DIGEST_BYTES) ||
	       fail(err, ERR_INPUT,
		       "\"%s\" is not the SHA-256 of a certificate: 64 hex digits, as `ccsctl "
		       "client-cert list' prints them",
		       text);
}

bool client_cert_remove(struct ctl *ctl, struct err *err)
{
	struct certificate_owner owner;
	struct digest fingerprint;

	if (!read_fingerprint(ctl->arguments[0], &fingerprint, err) || !ctl_db(ctl, err) ||
		!certificate_remove(ctl->db, ctl_actor(), &fingerprint, &owner, err))
		return false;
	ctl_changed(ctl, owner.client_id);
	if (ctl->json)
		out_json(json_pack("{s:s}", "accountcode", owner.accountcode));
	else
		(void)printf("The certificate stands for %s no more.\n", owner.accountcode);
	return true;
}
