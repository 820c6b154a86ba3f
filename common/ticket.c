/* Tickets: see ticket.h. */
#include "common/ticket.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/clock.h"
#include "common/strbuf.h"

#include "common/base.h"

/* The fields in their order. A ticket is read back by the same list: no struct with gaps goes out. */
static void each_field(
	struct ticket *ticket, void (*visit)(void *arg, void *field, size_t n), void *arg)
{
	visit(arg, &ticket->issued_us, sizeof(ticket->issued_us));
	visit(arg, &ticket->client_id, sizeof(ticket->client_id));
	visit(arg, &ticket->by_token, sizeof(ticket->by_token));
	visit(arg, &ticket->token.user_id, sizeof(ticket->token.user_id));
	visit(arg, &ticket->token.session_id, sizeof(ticket->token.session_id));
	visit(arg, &ticket->token.version, sizeof(ticket->token.version));
	visit(arg, &ticket->token.expires_s, sizeof(ticket->token.expires_s));
	visit(arg, ticket->token.kid, JWT_KID_CHARS);
	visit(arg, ticket->nonce, sizeof(ticket->nonce));
	visit(arg, &ticket->key, sizeof(ticket->key));
}

static void write_field(void *arg, void *field, size_t n)
{
	char **to = arg;
	hex_encode(field, n, *to);
	*to += 2 * n;
}

struct reading {
	const char *at;
	bool ok;
};

static void read_field(void *arg, void *field, size_t n)
{
	struct reading *reading = arg;
	reading->ok &= hex_decode((struct str){reading->at, 2 * n}, field, n);
	reading->at += 2 * n;
}

/* A word of its own and the node come first, so that a signature is good for nothing else. */
static struct digest sign(const struct jwt_key *key, const char *node, struct str fields)
{
	struct strbuf text = STRBUF_INIT;
	struct digest mac = {{0}};
	unsigned n = sizeof(mac.b);
	strbuf_puts(&text, "ccs websocket ticket ");
	strbuf_puts(&text, node);
	strbuf_putc(&text, '\0');
	strbuf_str(&text, fields);
	if (!HMAC(EVP_sha256(), key->secret, JWT_SECRET_BYTES, (const uint8_t *)text.p, text.n,
		    mac.b, &n))
		OPENSSL_die("HMAC", __FILE__, __LINE__);
	strbuf_free(&text);
	return mac;
}

bool ticket_issue(const struct jwt_ring *ring, const char *node, struct ticket *ticket,
	char out[TICKET_CHARS + 1], struct err *err)
{
	const struct jwt_key *key = jwt_ring_signer(ring);
	if (!key)
		return fail(err, ERR_INTERNAL,
			"there is no key to sign a ticket with: `ccsctl jwt-key init` makes one");
	random_bytes(ticket->nonce, sizeof(ticket->nonce));
	memcpy(out, key->kid, JWT_KID_CHARS);
	char *fields = out + JWT_KID_CHARS, *to = fields;
	each_field(ticket, write_field, &to);
	struct digest mac = sign(key, node, (struct str){fields, TICKET_FIELDS});
	hex_encode(mac.b, DIGEST_BYTES, to);
	return true;
}

static bool refuse(struct err *err, const char *code, const char *why)
{
	return fail_code(err, ERR_AUTH, code, "%s; POST /auth/ws-ticket makes another", why);
}

static bool is_signed(struct jwt_ring *ring, const char *node, struct str text)
{
	const struct jwt_key *key = jwt_ring_named(ring, (struct str){text.p, JWT_KID_CHARS});
	struct str fields = {text.p + JWT_KID_CHARS, TICKET_FIELDS};
	struct digest shown;
	if (!key || !hex_decode((struct str){fields.p + fields.n, 2 * DIGEST_BYTES}, shown.b,
			    DIGEST_BYTES))
		return false;
	struct digest right = sign(key, node, fields);
	return digest_eq(&right, &shown);
}

bool ticket_read(struct jwt_ring *ring, const char *node, struct str text, int64_t now_us,
	struct ticket *ticket, struct err *err)
{
	struct ticket read = {0};
	struct reading reading = {text.p + JWT_KID_CHARS, true};
	if (text.n != TICKET_CHARS || !is_signed(ring, node, text))
		return refuse(err, "ticket_invalid", "this is no ticket of ours");
	each_field(&read, read_field, &reading);
	if (!reading.ok)
		return refuse(err, "ticket_invalid", "this is no ticket of ours");
	if (now_us >= read.issued_us + TICKET_SECONDS * US_PER_S)
		return refuse(err, "ticket_expired", "the ticket is older than 30 seconds");
	*ticket = read;
	return true;
}
