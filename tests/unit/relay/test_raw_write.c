/* What we rely on in libwebsockets and what no document of its promises: LWS_WRITE_RAW on a WebSocket connection sends
 * our bytes as they are, keeps what the socket does not take, and never lets one of its own pings come between two
 * bytes of ours. And with its reading switched off, it leaves the input to us and still notices a hang-up.
 *
 * A real server in this process, on a Unix socket; a client who reads slowly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <libwebsockets.h>

#include "common/strbuf.h"

#include <cmocka.h>

#include "common/base.h"

enum {
	PART = 16384, /* of one write, as in relay/conn.h */
	PARTS = 200,  /* of 16 kB: far more than a Unix socket holds */
	FRAME_BYTES = 1000,
	SMALL_BUFFER = 4608,
};

static struct lws_context *context;
static struct lws *connection;
static char path[64];
static int parts_left, partials, received, closed;
static uint32_t counter;

/* Frames of 1,000 bytes that are counted, so that one that is torn or lost is seen. */
static size_t fill(uint8_t *out)
{
	size_t n = 0;
	while (n + FRAME_BYTES <= PART) {
		uint8_t *frame = out + n;
		memset(frame, 'f', FRAME_BYTES);
		frame[0] = 0x81;
		frame[1] = 126;
		frame[2] = (FRAME_BYTES - 4) >> 8;
		frame[3] = (uint8_t)(FRAME_BYTES - 4);
		counter++;
		memcpy(frame + 4, &counter, sizeof(counter));
		n += FRAME_BYTES;
	}
	return n;
}

static int write_part(struct lws *wsi)
{
	static uint8_t buffer[LWS_PRE + PART];
	if (lws_partial_buffered(wsi))
		fail_msg("asked for more before what is kept was sent");
	if (parts_left == 0)
		return 0;
	parts_left--;
	size_t n = fill(buffer + LWS_PRE);
	assert_int_equal(lws_write(wsi, buffer + LWS_PRE, n, LWS_WRITE_RAW), n);
	partials += lws_partial_buffered(wsi) != 0;
	lws_callback_on_writable(wsi);
	return 0;
}

static int on_client(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	(void)user;
	(void)in;
	(void)len;
	switch ((int)reason) {
	case LWS_CALLBACK_ESTABLISHED:
		connection = wsi;
		assert_int_equal(lws_rx_flow_control(wsi, 0), 0);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return write_part(wsi);
	case LWS_CALLBACK_RECEIVE:
		received++;
		return 0;
	case LWS_CALLBACK_CLOSED:
		connection = NULL;
		closed++;
		return 0;
	default:
		return 0;
	}
}

static int open_server(void **state)
{
	(void)state;
	static const struct lws_protocols protocols[] = {
		{"ccs-events", on_client, 0, 128, 0, NULL, PART},
		{NULL, NULL, 0, 0, 0, NULL, 0},
	};
	static const lws_retry_bo_t pings = {
		.secs_since_valid_ping = 1, .secs_since_valid_hangup = 60};
	(void)snprintf(path, sizeof(path), "/tmp/ccs-raw-%d.sock", (int)getpid());
	struct lws_context_creation_info info = {
		.options = LWS_SERVER_OPTION_UNIX_SOCK,
		.iface = path,
		.protocols = protocols,
		.retry_and_idle_policy = &pings,
		.gid = (gid_t)-1,
		.uid = (uid_t)-1,
	};
	lws_set_log_level(LLL_ERR, NULL);
	parts_left = partials = received = closed = 0;
	counter = 0;
	context = lws_create_context(&info);
	return context ? 0 : -1;
}

static int close_server(void **state)
{
	(void)state;
	lws_context_destroy(context);
	(void)unlink(path);
	return 0;
}

/* libwebsockets' loop, once, without waiting. */
static void turn(void)
{
	(void)lws_service(context, -1);
}

static int connect_client(void)
{
	static const char request[] =
		"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char answer[1024];
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
	while (!connection)
		turn();
	ssize_t n = read(fd, answer, sizeof(answer));
	assert_true(n > 4);
	assert_memory_equal(answer, "HTTP/1.1 101", 12);
	assert_memory_equal(answer + n - 4, "\r\n\r\n", 4);
	return fd;
}

/* Takes what has come; pings are counted and taken out, everything else must be our frames, one after the other. */
static void check(struct strbuf *have, uint32_t *frames, int *pings)
{
	size_t at = 0;
	while (have->n - at >= 2) {
		const uint8_t *frame = (const uint8_t *)have->p + at;
		if (frame[0] == 0x89) {
			assert_int_equal(frame[1], 0);
			(*pings)++;
			at += 2;
			continue;
		}
		uint32_t number;
		assert_int_equal(frame[0], 0x81);
		if (have->n - at < FRAME_BYTES)
			break;
		memcpy(&number, frame + 4, sizeof(number));
		assert_int_equal(number, ++*frames);
		assert_int_equal(frame[FRAME_BYTES - 1], 'f');
		at += FRAME_BYTES;
	}
	strbuf_consume(have, at);
}

static void test_bytes_arrive_as_they_are_however_slowly_they_are_read(void **state)
{
	(void)state;
	struct strbuf have = STRBUF_INIT;
	uint32_t frames = 0;
	int pings = 0;
	int fd = connect_client(), small = SMALL_BUFFER;
	assert_int_equal(setsockopt(lws_get_socket_fd(connection), SOL_SOCKET, SO_SNDBUF, &small,
				 sizeof(small)),
		0);
	parts_left = PARTS;
	lws_callback_on_writable(connection);
	while (frames < PARTS * (PART / FRAME_BYTES)) {
		turn();
		ssize_t n = recv(fd, strbuf_room(&have, 997), 997, MSG_DONTWAIT);
		if (n <= 0)
			continue;
		have.n += (size_t)n;
		check(&have, &frames, &pings);
	}
	assert_int_equal(have.n, 0);
	assert_in_range(partials, PARTS / 2, PARTS);
	strbuf_free(&have);
	close(fd);
}

/* A ping that is due while the socket is full waits for the end of what was written before. */
static void test_a_ping_does_not_come_between(void **state)
{
	(void)state;
	struct strbuf have = STRBUF_INIT;
	uint32_t frames = 0;
	int pings = 0;
	int fd = connect_client(), small = SMALL_BUFFER;
	assert_int_equal(setsockopt(lws_get_socket_fd(connection), SOL_SOCKET, SO_SNDBUF, &small,
				 sizeof(small)),
		0);
	parts_left = 2;
	lws_callback_on_writable(connection);
	while (partials == 0)
		turn();
	/* libwebsockets counts a ping's second by itself: serve until one must have been due */
	lws_usec_t due = lws_now_usecs() + 1500 * LWS_US_PER_MS;
	while (lws_now_usecs() < due)
		turn();
	while (pings == 0 || frames < 2 * (PART / FRAME_BYTES)) {
		turn();
		ssize_t n = recv(fd, strbuf_room(&have, 4096), 4096, MSG_DONTWAIT);
		if (n <= 0)
			continue;
		have.n += (size_t)n;
		check(&have, &frames, &pings);
	}
	strbuf_free(&have);
	close(fd);
}

static void test_input_is_left_to_us_and_a_hang_up_is_noticed(void **state)
{
	(void)state;
	char bytes[16];
	int fd = connect_client();
	assert_int_equal(write(fd, "\x81\x05hello", 7), 7);
	for (int i = 0; i < 10; i++)
		turn();
	assert_int_equal(received, 0);
	assert_int_equal(
		recv(lws_get_socket_fd(connection), bytes, sizeof(bytes), MSG_DONTWAIT), 7);
	assert_memory_equal(bytes, "\x81\x05hello", 7);
	close(fd);
	while (!closed)
		turn();
}

#define RAW_TEST(test) cmocka_unit_test_setup_teardown(test, open_server, close_server)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RAW_TEST(test_bytes_arrive_as_they_are_however_slowly_they_are_read),
		RAW_TEST(test_a_ping_does_not_come_between),
		RAW_TEST(test_input_is_left_to_us_and_a_hang_up_is_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
