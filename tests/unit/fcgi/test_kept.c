/* What we rely on in libfcgi and what its documents do not promise: a connection that somebody else has accepted is
 * served when its descriptor is put into an FCGX_Request; it carries one request after the other, and there may be any
 * number of them in one process. A connection that fails costs nobody but itself, and libfcgi never accepts another.
 *
 * The worker here gives back what it was sent: address, blank, body.
 */
#include <fcgiapp.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "fcgi/serve.h"
#include "tests/unit/fcgi/peer.h"

#include "common/base.h"

enum { LINKS = 100, ROUNDS = 5, LARGE_BODY = 100000, BEYOND_SELECT = 1200 };

struct link {
	struct peer peer;
	FCGX_Request fcgx;
	int fd; /* the worker's end, which is libfcgi's */
};

static int open_process(void **state)
{
	(void)state;
	return FCGX_Init();
}

static void open_link(struct link *link)
{
	int pair[2];
	*link = (struct link){0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	link->peer.fd = pair[0];
	link->fd = pair[1];
	fcgx_take(&link->fcgx, link->fd);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void close_link(struct link *link)
{
	peer_free(&link->peer); /* first: libfcgi waits for the other side to close */
	FCGX_Free(&link->fcgx, 1);
	assert_false(is_open(link->fd));
}

static void begin(struct link *link, bool keep, const char *path)
{
	peer_begin(&link->peer, keep);
	peer_param(&link->peer, "DOCUMENT_URI", path);
}

static void ask(struct link *link, bool keep, const char *path, const char *body, size_t n)
{
	begin(link, keep, path);
	peer_body(&link->peer, body, n);
	peer_send(&link->peer);
}

static void serve_one(struct link *link)
{
	static char body[LARGE_BODY];
	assert_true(fcgx_accept(&link->fcgx));
	int n = FCGX_GetStr(body, sizeof(body), link->fcgx.in);
	FCGX_FPrintF(link->fcgx.out, "%s ", FCGX_GetParam("DOCUMENT_URI", link->fcgx.envp));
	assert_int_equal(FCGX_PutStr(body, n, link->fcgx.out), n);
	FCGX_Finish_r(&link->fcgx);
}

static void assert_dead(struct link *link)
{
	assert_false(fcgx_accept(&link->fcgx));
	FCGX_Free(&link->fcgx, 1);
	assert_false(is_open(link->fd));
}

/* nginx hangs up when the other side has, and a descriptor that libfcgi closes waits for that. */
static void *hang_up_in_turn(void *arg)
{
	struct peer *peer = arg;
	char bytes[256];
	ssize_t n;
	while ((n = recv(peer->fd, bytes, sizeof(bytes), 0)) > 0)
		strbuf_add(&peer->answer, bytes, (size_t)n);
	close(peer->fd);
	peer->fd = -1;
	return NULL;
}

static void test_connections_take_turns_and_do_not_mix(void **state)
{
	static struct link links[LINKS];
	char text[2][64];
	(void)state;
	for (int i = 0; i < LINKS; i++)
		open_link(&links[i]);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < LINKS; i++) {
			(void)snprintf(text[0], sizeof(text[0]), "/of/%d", i);
			(void)snprintf(text[1], sizeof(text[1]), "round %d", round);
			ask(&links[i], true, text[0], text[1], strlen(text[1]));
		}
		for (int i = LINKS - 1; i >= 0; i--)
			serve_one(&links[i]);
		for (int i = 0; i < LINKS; i++) {
			(void)snprintf(text[0], sizeof(text[0]), "/of/%d round %d", i, round);
			assert_string_equal(peer_answer(&links[i].peer), text[0]);
			assert_int_equal(links[i].fcgx.ipcFd, links[i].fd);
		}
	}
	for (int i = 0; i < LINKS; i++)
		close_link(&links[i]);
}

/* Longer than libfcgi's buffers, and than a record. */
static void test_bodies_of_any_length_follow_each_other(void **state)
{
	static const size_t lengths[] = {0, 1, 8191, 8192, 8193, 65535, 65536, LARGE_BODY, 0, 1};
	static char body[LARGE_BODY];
	struct link link;
	(void)state;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)('a' + i % 23);
	open_link(&link);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		ask(&link, true, "/", body, lengths[i]);
		serve_one(&link);
		const char *answer = peer_answer(&link.peer);
		assert_int_equal(link.peer.answer.n, strlen("/ ") + lengths[i] + 1);
		assert_memory_equal(answer + strlen("/ "), body, lengths[i]);
	}
	close_link(&link);
}

/* Whoever hangs up, before or within a request, is gone. libfcgi would accept the next connection at descriptor 0, where
 * FastCGI has its socket, so there is one. */
static void test_who_hangs_up_is_not_replaced(void **state)
{
	struct sockaddr_un address = {
		.sun_family = AF_UNIX}; /* abstract, one that the kernel chooses */
	socklen_t n = sizeof(sa_family_t);
	struct link link;
	(void)state;
	int kept = dup(0), listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int waiting = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&address, n), 0);
	n = sizeof(address);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &n), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(connect(waiting, (struct sockaddr *)&address, n), 0);
	assert_int_equal(dup2(listening, 0), 0);

	for (int sent = 0; sent < 2; sent++) {
		open_link(&link);
		begin(&link, true, "/");
		if (sent)
			peer_send(&link.peer);
		peer_free(&link.peer);
		assert_dead(&link);
	}
	int accepted = accept(0, NULL, NULL);
	assert_true(accepted >= 0);

	assert_int_equal(dup2(kept, 0), 0);
	const int fds[] = {kept, listening, waiting, accepted};
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

static void test_silence_within_a_request_ends_with_the_timeout(void **state)
{
	const struct timeval soon = {.tv_usec = 10000};
	struct link link;
	pthread_t thread;
	(void)state;
	open_link(&link);
	assert_int_equal(setsockopt(link.fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), 0);
	begin(&link, true, "/");
	peer_send(&link.peer);
	assert_int_equal(pthread_create(&thread, NULL, hang_up_in_turn, &link.peer), 0);
	assert_dead(&link);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(link.peer.answer.n, 0);
	strbuf_free(&link.peer.out);
}

/* As for the pools that answer one request per connection. */
static void test_what_nginx_does_not_keep_is_closed(void **state)
{
	struct link link;
	pthread_t thread;
	(void)state;
	open_link(&link);
	ask(&link, false, "/once", "x", 1);
	assert_int_equal(pthread_create(&thread, NULL, hang_up_in_turn, &link.peer), 0);
	serve_one(&link);
	assert_int_equal(link.fcgx.ipcFd, -1);
	assert_false(is_open(link.fd));
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_non_null(memmem(link.peer.answer.p, link.peer.answer.n, "/once x", 7));
	strbuf_free(&link.peer.out);
	strbuf_free(&link.peer.answer);
	FCGX_Free(&link.fcgx, 1);
}

/* A library that calls select() would write beyond an fd_set. */
static void test_descriptors_of_any_number(void **state)
{
	struct rlimit limit;
	struct link link;
	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)(2 * BEYOND_SELECT));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	open_link(&link);
	int high = fcntl(link.fd, F_DUPFD, BEYOND_SELECT);
	assert_true(high >= BEYOND_SELECT);
	close(link.fd);
	link.fd = high;
	fcgx_take(&link.fcgx, high);
	for (int i = 0; i < 2; i++) {
		ask(&link, true, "/high", "", 0);
		serve_one(&link);
		assert_string_equal(peer_answer(&link.peer), "/high ");
	}
	close_link(&link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections_take_turns_and_do_not_mix),
		cmocka_unit_test(test_bodies_of_any_length_follow_each_other),
		cmocka_unit_test(test_who_hangs_up_is_not_replaced),
		cmocka_unit_test(test_silence_within_a_request_ends_with_the_timeout),
		cmocka_unit_test(test_what_nginx_does_not_keep_is_closed),
		cmocka_unit_test(test_descriptors_of_any_number),
	};
	return cmocka_run_group_tests_name("kept", tests, open_process, NULL);
}
