/* AES-256-GCM by OpenSSL: see secret.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/log.h"
#include "common/secret.h"
#include "common/token.h"

#include "common/base.h"

enum { VERSION = 1, NONCE_BYTES = 12, TAG_BYTES = 16, HEAD_BYTES = 1 + NONCE_BYTES };

_Static_assert(SECRET_EXTRA_BYTES == HEAD_BYTES + TAG_BYTES, "sealed form");

void secret_wipe(void *bytes, size_t n)
{
	if (bytes)
		OPENSSL_cleanse(bytes, n);
}

struct digest secret_mac(const struct secret_key *key, struct str text)
{
	struct digest mac;
	if (!HMAC(EVP_sha256(), key->b, SECRET_KEY_BYTES, (const unsigned char *)text.p, text.n,
		    mac.b, NULL))
		die("digest.failed", "algorithm=hmac-sha256");
	return mac;
}

void secret_pseudonym(const struct secret_key *key, struct str text, char out[PSEUDONYM_BYTES])
{
	struct digest mac = secret_mac(key, text);
	hex_encode(mac.b, PSEUDONYM_BYTES / 2, out);
}

bool secret_create_key(const char *path, struct err *err)
{
	struct secret_key key;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 && errno == EEXIST)
		return fail(err, ERR_CONFLICT,
			"%s exists; a new key would make every secret in the database unreadable",
			path);
	if (fd < 0)
		return fail(err, ERR_INPUT, "cannot make %s: %s", path, strerror(errno));
	random_bytes(key.b, sizeof(key.b));
	bool ok = write(fd, key.b, sizeof(key.b)) == (ssize_t)sizeof(key.b) && fsync(fd) == 0;
	if (!ok)
		fail(err, ERR_INTERNAL, "cannot write %s: %s", path, strerror(errno));
	(void)close(fd);
	if (!ok)
		(void)unlink(path);
	secret_wipe(&key, sizeof(key));
	return ok;
}

static bool check_file(const char *path, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail(err, ERR_INPUT, "cannot look at %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size != SECRET_KEY_BYTES)
		return fail(err, ERR_INPUT,
			"%s is not a key file of %d bytes; `ccsctl secret init` makes one", path,
			SECRET_KEY_BYTES);
	if (st.st_mode & 037)
		return fail(err, ERR_INPUT,
			"%s has mode %03o; nobody but its owner and group may read it: chmod 600",
			path, (unsigned)(st.st_mode & 0777));
	return true;
}

bool secret_load_key(const char *path, struct secret_key *key, struct err *err)
{
	struct secret_key read_key;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail(err, ERR_INPUT,
			"cannot read the key %s: %s; `ccsctl secret init` makes one", path,
			strerror(errno));
	bool ok = check_file(path, fd, err);
	if (ok && read(fd, read_key.b, sizeof(read_key.b)) != (ssize_t)sizeof(read_key.b))
		ok = fail(err, ERR_INPUT, "cannot read the key %s: %s", path, strerror(errno));
	(void)close(fd);
	if (ok)
		*key = read_key;
	secret_wipe(&read_key, sizeof(read_key));
	return ok;
}

/* The version byte is authenticated with the text. */
void secret_seal(const struct secret_key *key, struct str plain, struct strbuf *out)
{
	if (plain.n > INT32_MAX)
		die("secret.too_long", "bytes=%zu", plain.n);
	uint8_t *head = (uint8_t *)strbuf_room(out, plain.n + SECRET_EXTRA_BYTES);
	uint8_t *text = head + HEAD_BYTES, *tag = text + plain.n;
	int n;

	head[0] = VERSION;
	random_bytes(head + 1, NONCE_BYTES);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	if (!ctx || EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->b, head + 1) != 1 ||
		EVP_EncryptUpdate(ctx, NULL, &n, head, 1) != 1 ||
		EVP_EncryptUpdate(ctx, text, &n, (const uint8_t *)plain.p, (int)plain.n) != 1 ||
		EVP_EncryptFinal_ex(ctx, text + plain.n, &n) != 1 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) != 1)
		die("secret.seal_failed", "cipher=aes-256-gcm");
	EVP_CIPHER_CTX_free(ctx);
	out->n += plain.n + SECRET_EXTRA_BYTES;
	out->p[out->n] = '\0';
}

bool secret_open(
	const struct secret_key *key, struct str sealed, struct strbuf *out, struct err *err)
{
	const uint8_t *head = (const uint8_t *)sealed.p;
	uint8_t tag[TAG_BYTES];
	int n;

	if (sealed.n < SECRET_EXTRA_BYTES || sealed.n > INT32_MAX || head[0] != VERSION)
		return fail(err, ERR_INTERNAL,
			"a stored secret is damaged or of a later version of ccs");
	size_t length = sealed.n - SECRET_EXTRA_BYTES;
	uint8_t *text = (uint8_t *)strbuf_room(out, length);
	memcpy(tag, head + HEAD_BYTES + length, TAG_BYTES);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool ok = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->b, head + 1) == 1 &&
		  EVP_DecryptUpdate(ctx, NULL, &n, head, 1) == 1 &&
		  EVP_DecryptUpdate(ctx, text, &n, head + HEAD_BYTES, (int)length) == 1 &&
		  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
		  EVP_DecryptFinal_ex(ctx, text + length, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (ok) {
		out->n += length;
		out->p[out->n] = '\0';
		return true;
	}
	secret_wipe(text, length);
	out->p[out->n] = '\0';
	return fail(
		err, ERR_INTERNAL, "a stored secret does not open: another key file, or damaged");
}
