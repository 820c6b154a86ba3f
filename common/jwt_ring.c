/* The file of signing keys: see jwt_ring.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/jwt.h"
#include "common/log.h"
#include "common/secret.h"
#include "common/token.h"

#include "common/base.h"

enum { FILE_BYTES = 4096, CHECK_PAUSE_US = 1000000 };

static const char preface[] =
	"# Keys that sign the tokens of ccs, oldest first; the last one signs. Kept by `ccsctl "
	"jwt-key`.\n";

const struct jwt_key *jwt_ring_signer(const struct jwt_ring *ring)
{
	return ring->n ? &ring->key[ring->n - 1] : NULL;
}

void jwt_ring_wipe(struct jwt_ring *ring)
{
	secret_wipe(ring->key, sizeof(ring->key));
	ring->n = 0;
}

/* ---- reading ---- */

/* By the time of the inode: a mode or an owner put right is a change as well. */
static struct jwt_ring_seen seen_of(const struct stat *st)
{
	return (struct jwt_ring_seen){st->st_dev, st->st_ino, st->st_size,
		(int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec};
}

static bool read_key(struct str line, struct jwt_key *key)
{
	struct str kid, made;
	uint64_t made_s;

	if (!str_split(&line, ' ', &kid) || !str_split(&line, ' ', &made) ||
		kid.n != JWT_KID_CHARS || !str_copy(key->kid, sizeof(key->kid), kid) ||
		!str_to_u64(made, 1, INT64_MAX, &made_s))
		return false;
	key->made_s = (int64_t)made_s;
	return line.p && hex_decode(line, key->secret, sizeof(key->secret));
}

static bool has_kid(const struct jwt_ring *ring, const char *kid)
{
	for (int i = 0; i < ring->n; i++)
		if (str_eq(str_of(ring->key[i].kid), str_of(kid)))
			return true;
	return false;
}

static bool read_lines(struct jwt_ring *ring, struct str text, struct err *err)
{
	struct str line;
	for (int at = 1; str_split(&text, '\n', &line); at++) {
		struct jwt_key key = {.made_s = 0};
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (ring->n == JWT_KEYS_MAX)
			return fail(err, ERR_INPUT, "%s holds more than %d keys", ring->path,
				JWT_KEYS_MAX);
		if (!read_key(line, &key) || has_kid(ring, key.kid))
			return fail(err, ERR_INPUT, "%s:%d: this is no key, or the same again",
				ring->path, at);
		if (!jwt_key_head(&key, err))
			return false;
		ring->key[ring->n++] = key;
		secret_wipe(&key, sizeof(key));
	}
	return ring->n > 0 || fail(err, ERR_INPUT, "%s holds no key", ring->path);
}

static bool check_mode(const char *path, const struct stat *st, struct err *err)
{
	if (!S_ISREG(st->st_mode) || st->st_size > FILE_BYTES)
		return fail(err, ERR_INPUT, "%s is no file of signing keys", path);
	if (st->st_mode & 037)
		return fail(err, ERR_INPUT,
			"%s has mode %03o; nobody but its owner and group may read it: chmod 600",
			path, (unsigned)(st->st_mode & 0777));
	return true;
}

static bool read_file(struct jwt_ring *ring, int fd, struct err *err)
{
	char text[FILE_BYTES + 1];
	struct stat st;

	if (fstat(fd, &st) != 0 || !check_mode(ring->path, &st, err))
		return false;
	ring->seen = seen_of(&st);
	ssize_t n = read(fd, text, FILE_BYTES);
	bool ok = n >= 0 ? read_lines(ring, (struct str){text, (size_t)n}, err)
			 : fail(err, ERR_INPUT, "cannot read %s: %s", ring->path, strerror(errno));
	secret_wipe(text, sizeof(text));
	return ok;
}

bool jwt_ring_load(struct jwt_ring *ring, const char *path, struct err *err)
{
	*ring = (struct jwt_ring){.checked_mono_us = clock_mono_us()};
	if (!str_copy(ring->path, sizeof(ring->path), str_of(path)))
		return fail(err, ERR_INPUT, "the path of the signing keys is too long");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, ERR_INPUT,
			"cannot read the signing keys %s: %s; `ccsctl jwt-key init` makes them",
			path, strerror(errno));
	bool ok = read_file(ring, fd, err);
	(void)close(fd);
	if (!ok)
		jwt_ring_wipe(ring);
	return ok;
}

static void look(struct jwt_ring *ring)
{
	struct jwt_ring fresh;
	struct jwt_ring_seen seen = {0};
	struct stat st;
	struct err err;

	ring->checked_mono_us = clock_mono_us();
	if (stat(ring->path, &st) == 0)
		seen = seen_of(&st);
	if (memcmp(&seen, &ring->seen, sizeof(seen)) == 0)
		return;
	if (jwt_ring_load(&fresh, ring->path, &err)) {
		*ring = fresh;
		log_info("jwt.keys_read", "keys=%d signer=%s", ring->n, jwt_ring_signer(ring)->kid);
	} else {
		ring->seen = seen; /* said once */
		log_error("jwt.keys_refused", "why=%s do=%s", log_q(err.text),
			log_q("the keys read before stay in use"));
	}
	jwt_ring_wipe(&fresh);
}

void jwt_ring_check(struct jwt_ring *ring)
{
	if (clock_mono_us() - ring->checked_mono_us >= CHECK_PAUSE_US)
		look(ring);
}

typedef const char *text_fn(const struct jwt_key *key);

static const char *head_of(const struct jwt_key *key)
{
	return key->head;
}

static const char *name_of(const struct jwt_key *key)
{
	return key->kid;
}

static const struct jwt_key *find(const struct jwt_ring *ring, text_fn *text, struct str wanted)
{
	for (int i = 0; i < ring->n; i++)
		if (str_eq(wanted, str_of(text(&ring->key[i]))))
			return &ring->key[i];
	return NULL;
}

/* The second look costs a forger's token one stat(2). */
static const struct jwt_key *find_twice(struct jwt_ring *ring, text_fn *text, struct str wanted)
{
	jwt_ring_check(ring);
	const struct jwt_key *key = find(ring, text, wanted);
	if (key)
		return key;
	look(ring);
	return find(ring, text, wanted);
}

const struct jwt_key *jwt_ring_find(struct jwt_ring *ring, struct str head)
{
	return find_twice(ring, head_of, head);
}

const struct jwt_key *jwt_ring_named(struct jwt_ring *ring, struct str kid)
{
	return find_twice(ring, name_of, kid);
}

bool jwt_ring_holds(struct jwt_ring *ring, const char *kid)
{
	jwt_ring_check(ring);
	return has_kid(ring, kid);
}

/* ---- keeping ---- */

static void new_key(struct jwt_key *key)
{
	token_random(key->kid, JWT_KID_CHARS);
	key->made_s = clock_wall_us() / US_PER_S;
	random_bytes(key->secret, sizeof(key->secret));
}

static bool write_keys(const struct jwt_ring *ring, int fd)
{
	bool ok = dprintf(fd, "%s", preface) > 0;
	for (int i = 0; ok && i < ring->n; i++) {
		char hex[2 * JWT_SECRET_BYTES + 1];
		hex_encode(ring->key[i].secret, JWT_SECRET_BYTES, hex);
		ok = dprintf(fd, "%s %" PRId64 " %s\n", ring->key[i].kid, ring->key[i].made_s,
			     hex) > 0;
		secret_wipe(hex, sizeof(hex));
	}
	return ok && fsync(fd) == 0;
}

/* A file that did not exist: so two that make the first one do not do it both. */
static bool write_new(
	const struct jwt_ring *ring, const char *path, const struct stat *like, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(err, errno == EEXIST ? ERR_CONFLICT : ERR_INPUT, "cannot make %s: %s",
			path, strerror(errno));
	bool ok = (!like || (fchown(fd, like->st_uid, like->st_gid) == 0 &&
				    fchmod(fd, like->st_mode & 0777) == 0)) &&
		  write_keys(ring, fd);
	if (!ok)
		fail(err, ERR_INTERNAL, "cannot write %s: %s", path, strerror(errno));
	(void)close(fd);
	if (!ok)
		(void)unlink(path);
	return ok;
}

/* In one step, with the old file's owner and mode. Its holder only: so a file of the new one's name was left by one
 * that was killed. */
static bool replace(const struct jwt_ring *ring, struct err *err)
{
	char path[JWT_PATH_BYTES + 8];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s.new", ring->path);
	(void)unlink(path);
	if (stat(ring->path, &st) != 0)
		return fail(err, ERR_INPUT, "cannot look at %s: %s", ring->path, strerror(errno));
	if (!write_new(ring, path, &st, err))
		return false;
	if (rename(path, ring->path) == 0)
		return true;
	fail(err, ERR_INTERNAL, "cannot replace %s: %s", ring->path, strerror(errno));
	(void)unlink(path);
	return false;
}

bool jwt_ring_create(const char *path, struct err *err)
{
	struct jwt_ring ring = {.n = 1};

	new_key(&ring.key[0]);
	bool ok = write_new(&ring, path, NULL, err);
	jwt_ring_wipe(&ring);
	return ok;
}

/* Keepers take turns: the file as it is read stays until it is replaced. Its descriptor, which ends the turn when it
 * is closed, however that comes; -1 on failure. */
static int hold(const char *path, struct err *err)
{
	for (;;) {
		struct stat held, named;
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || flock(fd, LOCK_EX) != 0 || fstat(fd, &held) != 0) {
			fail(err, ERR_INPUT,
				"cannot hold the signing keys %s: %s; `ccsctl jwt-key init` makes "
				"them",
				path, strerror(errno));
			if (fd >= 0)
				(void)close(fd);
			return -1;
		}
		if (stat(path, &named) == 0 && named.st_dev == held.st_dev &&
			named.st_ino == held.st_ino)
			return fd;
		(void)close(fd); /* replaced while we waited */
	}
}

static bool add_key(struct jwt_ring *ring, struct str kid, struct err *err)
{
	(void)kid;
	if (ring->n == JWT_KEYS_MAX)
		return fail(err, ERR_CONFLICT, "%s is full with %d keys; retire the oldest first",
			ring->path, JWT_KEYS_MAX);
	new_key(&ring->key[ring->n++]);
	return true;
}

static bool take_key(struct jwt_ring *ring, struct str kid, struct err *err)
{
	int at = 0;

	while (at < ring->n && !str_eq(str_of(ring->key[at].kid), kid))
		at++;
	if (at == ring->n)
		return fail(err, ERR_MISSING, "%s holds no key %.*s", ring->path,
			(int)MIN(kid.n, 64UL), kid.p);
	if (ring->n == 1)
		return fail(err, ERR_CONFLICT,
			"%.*s is the only key; `ccsctl jwt-key rotate` makes another", (int)kid.n,
			kid.p);
	ring->n--;
	memmove(&ring->key[at], &ring->key[at + 1], (size_t)(ring->n - at) * sizeof(ring->key[0]));
	return true;
}

static bool change(const char *path, bool (*edit)(struct jwt_ring *, struct str, struct err *),
	struct str kid, struct err *err)
{
	struct jwt_ring ring;
	int fd = hold(path, err);

	if (fd < 0)
		return false;
	bool ok = jwt_ring_load(&ring, path, err) && edit(&ring, kid, err) && replace(&ring, err);
	jwt_ring_wipe(&ring);
	(void)close(fd);
	return ok;
}

bool jwt_ring_rotate(const char *path, struct err *err)
{
	return change(path, add_key, STR(""), err);
}

bool jwt_ring_retire(const char *path, struct str kid, struct err *err)
{
	return change(path, take_key, kid, err);
}
