/* nginx's end of a FastCGI connection, for the unit tests of fcgi:
 *
 *   peer                                   worker
 *   BEGIN PARAMS... PARAMS STDIN STDIN  →  FCGX_Accept_r
 *                                       ←  STDOUT... END
 */
#ifndef CCS_TESTS_FCGI_PEER_H
#define CCS_TESTS_FCGI_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base.h"
#include "common/strbuf.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

enum { RECORD_BEGIN = 1, RECORD_END = 3, RECORD_PARAMS = 4, RECORD_STDIN = 5, RECORD_STDOUT = 6 };
enum { RECORD_HEADER_BYTES = 8, RECORD_BYTES = UINT16_MAX };

struct peer {
	int fd;
	struct strbuf out;    /* records to be sent */
	struct strbuf answer; /* STDOUT of the last request, and a NUL */
};

static inline void peer_record(struct peer *peer, int type, const void *bytes, size_t n)
{
	const uint8_t header[RECORD_HEADER_BYTES] = {
		1, (uint8_t)type, 0, 1, (uint8_t)(n >> 8), (uint8_t)n, 0, 0};
	strbuf_add(&peer->out, header, sizeof(header));
	strbuf_add(&peer->out, bytes, n);
}

static inline void peer_begin(struct peer *peer, bool keep)
{
	const uint8_t responder[8] = {0, 1, keep};
	strbuf_reset(&peer->out);
	peer_record(peer, RECORD_BEGIN, responder, sizeof(responder));
}

static inline void peer_param(struct peer *peer, const char *name, const char *value)
{
	struct strbuf sb = STRBUF_INIT;
	assert_true(strlen(name) < 128 && strlen(value) < 128);
	strbuf_putc(&sb, (char)strlen(name));
	strbuf_putc(&sb, (char)strlen(value));
	strbuf_puts(&sb, name);
	strbuf_puts(&sb, value);
	peer_record(peer, RECORD_PARAMS, sb.p, sb.n);
	strbuf_free(&sb);
}

/* The end of the parameters, and the body. */
static inline void peer_body(struct peer *peer, const char *bytes, size_t n)
{
	peer_record(peer, RECORD_PARAMS, NULL, 0);
	for (size_t at = 0; at < n; at += RECORD_BYTES)
		peer_record(peer, RECORD_STDIN, bytes + at, MIN(n - at, (size_t)RECORD_BYTES));
	peer_record(peer, RECORD_STDIN, NULL, 0);
}

static inline void peer_send(struct peer *peer)
{
	assert_int_equal(send(peer->fd, peer->out.p, peer->out.n, MSG_NOSIGNAL), peer->out.n);
}

static inline void peer_read_all(struct peer *peer, void *to, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t k = recv(peer->fd, (char *)to + got, n - got, 0);
		assert_true(k > 0);
		got += (size_t)k;
	}
}

/* The whole answer, as text. */
static inline const char *peer_answer(struct peer *peer)
{
	uint8_t header[RECORD_HEADER_BYTES], scrap[RECORD_BYTES + UINT8_MAX];
	strbuf_reset(&peer->answer);
	do {
		peer_read_all(peer, header, sizeof(header));
		size_t n = (size_t)(header[4] << 8 | header[5]);
		peer_read_all(peer, scrap, n + header[6]);
		if (header[1] == RECORD_STDOUT)
			strbuf_add(&peer->answer, scrap, n);
	} while (header[1] != RECORD_END);
	strbuf_putc(&peer->answer, '\0');
	return peer->answer.p;
}

static inline void peer_free(struct peer *peer)
{
	close(peer->fd);
	strbuf_free(&peer->out);
	strbuf_free(&peer->answer);
}

#endif
