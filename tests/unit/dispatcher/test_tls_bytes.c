/* The TLS wire: what goes through it, however slowly either side reads. */
#include "tests/unit/dispatcher/tls_stand.h"

static void records_end_with_lines(void **state)
{
	(void)state;
	char text[3000];
	memset(text, 'x', sizeof(text));
	assert_int_equal(tls_record_bytes(STR(""), false), 0);
	assert_int_equal(tls_record_bytes(STR(""), true), 0);
	assert_int_equal(tls_record_bytes(STR("Action: Ping\r"), false), 0);
	assert_int_equal(tls_record_bytes(STR("Action: Ping\r"), true), 13);
	assert_int_equal(tls_record_bytes(STR("a: b\r\nc: d\r\n\r\nAct"), false), 14);
	assert_int_equal(tls_record_bytes((struct str){text, 1023}, false), 0);
	assert_int_equal(tls_record_bytes((struct str){text, 1024}, false), 1024);
	assert_int_equal(tls_record_bytes((struct str){text, 3000}, false), 1024);
	text[1023] = '\n';
	assert_int_equal(tls_record_bytes((struct str){text, 3000}, false), 1024);
	text[1023] = 'x';
	text[1024] = '\n';
	text[9] = '\n';
	assert_int_equal(tls_record_bytes((struct str){text, 3000}, false), 10);
}

static void what_the_child_writes_last_still_arrives(void **state)
{
	(void)state;
	struct peer peer = peer_start(&good, NULL, tells_records);
	struct strbuf out = STRBUF_INIT;
	int fd = open_to(&peer);
	size_t heard = 0;
	int record[2];

	for (int i = 0; i < 100; i++)
		strbuf_printf(&out,
			"Action: Originate\r\nActionID: ccs-%014x01\r\nData: %0*d\r\n\r\n", i,
			i * 9 + 1, 0);
	assert_int_equal(send(fd, out.p, out.n, MSG_NOSIGNAL), out.n);
	(void)shutdown(fd, SHUT_RDWR); /* as ami_sock_close does, also for the holder's copy */
	close(fd);
	for (;;) {
		await_readable(peer.told);
		assert_int_equal(read(peer.told, record, sizeof(record)), sizeof(record));
		if (record[0] < 0)
			break;
		assert_true(record[0] <= 1024);
		assert_int_equal(record[1], '\n');
		heard += (size_t)record[0];
	}
	assert_int_equal(record[0], -1);
	assert_int_equal(heard, out.n);
	strbuf_free(&out);
	peer_end(&peer);
}

/* Writes until nobody takes any more for a while, says how much that was, and ends. */
static void floods(struct stage *stage)
{
	static char block[16000];
	uint64_t written = 0;
	(void)fcntl(stage->fd, F_SETFL, O_NONBLOCK);
	for (;;) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (char)((written + i) % 251);
		if (SSL_write(stage->ssl, block, sizeof(block)) > 0) {
			written += sizeof(block);
			continue;
		}
		struct pollfd p = {.fd = stage->fd, .events = POLLOUT};
		if (poll(&p, 1, 300) == 0)
			break;
	}
	(void)!write(stage->tell, &written, sizeof(written));
	(void)fcntl(stage->fd, F_SETFL, 0);
	(void)SSL_write(stage->ssl, block, sizeof(block)); /* the one that had not gone */
	(void)SSL_shutdown(stage->ssl);
}

static void a_child_that_does_not_read_stops_the_server(void **state)
{
	(void)state;
	enum { BOUND = 64 << 20 }; /* of all the kernel's buffers on the way, and a piece */
	struct peer peer = peer_start(&good, NULL, floods);
	int fd = open_to(&peer);
	uint64_t written;
	char block[16000];

	await_readable(peer.told);
	assert_int_equal(read(peer.told, &written, sizeof(written)), sizeof(written));
	assert_true(written > 0 && written < BOUND);
	for (uint64_t at = 0; at < written + sizeof(block); at += sizeof(block)) {
		read_exactly(fd, block, sizeof(block));
		for (size_t i = 0; i < sizeof(block); i++)
			if (block[i] != (char)((at + i) % 251))
				fail_msg("byte %zu is wrong", (size_t)at + i);
	}
	expect_end(fd);
	close(fd);
	peer_end(&peer);
}

/* Reads nothing until it may, then all. */
static void reads_late(struct stage *stage)
{
	char piece[16384];
	uint64_t heard = 0;
	int n;
	await_word(stage);
	while ((n = SSL_read(stage->ssl, piece, sizeof(piece))) > 0)
		heard += (uint64_t)n;
	(void)!write(stage->tell, &heard, sizeof(heard));
}

static void a_server_that_does_not_read_stops_the_child(void **state)
{
	(void)state;
	struct peer peer = peer_start(&good, NULL, reads_late);
	static const char line[] = "Action: Ping\r\nActionID: 0123456789\r\n\r\n";
	struct pollfd p;
	uint64_t written = 0, heard;
	int fd = open_to(&peer);

	for (;;) {
		ssize_t n = send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			assert_int_equal(n, strlen(line));
			written += (uint64_t)n;
			continue;
		}
		p = (struct pollfd){.fd = fd, .events = POLLOUT};
		if (poll(&p, 1, 300) == 0)
			break;
		assert_true(written < 64 << 20);
	}
	peer_go(&peer);
	p = (struct pollfd){.fd = fd, .events = POLLOUT};
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	(void)shutdown(fd, SHUT_WR);
	await_readable(peer.told);
	assert_int_equal(read(peer.told, &heard, sizeof(heard)), sizeof(heard));
	assert_int_equal(heard, written);
	close(fd);
	peer_end(&peer);
}

/* Sockets that the wire has open beside the one it listens on. */
static int wires_sockets(void)
{
	char path[64], target[64];
	int n = -1;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)wire);
	DIR *folder = opendir(path);
	assert_non_null(folder);
	for (struct dirent *entry; (entry = readdir(folder));) {
		ssize_t bytes = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target));
		n += bytes > 7 && memcmp(target, "socket:", 7) == 0;
	}
	(void)closedir(folder);
	return n;
}

static void wait_until_idle(void)
{
	int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
	while (wires_sockets() > 0) {
		assert_true(clock_mono_us() < end);
		(void)poll(NULL, 0, 10);
	}
}

static void waits(struct stage *stage)
{
	await_word(stage);
}

static void a_child_that_goes_leaves_a_stuck_server_behind(void **state)
{
	(void)state;
	wait_until_idle();
	struct peer peer = peer_start(&good, NULL, waits);
	static char lines[16000];
	int fd = open_to(&peer);
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	memset(lines, '\n', sizeof(lines));
	do {
		while (send(fd, lines, sizeof(lines), MSG_NOSIGNAL) > 0)
			;
	} while (poll(&p, 1, 300) == 1);
	(void)shutdown(fd, SHUT_RDWR);
	close(fd);
	assert_int_equal(wires_sockets(), 2);
	wait_until_idle();
	peer_end(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_end_with_lines),
		cmocka_unit_test(what_the_child_writes_last_still_arrives),
		cmocka_unit_test(a_child_that_does_not_read_stops_the_server),
		cmocka_unit_test(a_server_that_does_not_read_stops_the_child),
		cmocka_unit_test(a_child_that_goes_leaves_a_stuck_server_behind),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
