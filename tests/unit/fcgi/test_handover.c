/* Connections change hands open, with what nobody has read yet; a full queue refuses and loses nothing. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fcgi/handover.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

enum { FAR_TOO_MANY = 100000 };

static struct handover handover;

static int open_it(void **state)
{
	(void)state;
	return handover_open(&handover, NULL) ? 0 : -1;
}

static int close_it(void **state)
{
	(void)state;
	(void)close(handover.put_fd);
	(void)close(handover.take_fd);
	return 0;
}

static void test_nothing_waits(void **state)
{
	(void)state;
	assert_int_equal(handover_take(&handover), -1);
}

static void test_what_was_written_is_there_for_the_next(void **state)
{
	int pair[2], status;
	char bytes[8];
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid_t leaver = fork();
	if (leaver == 0)
		_exit(handover_put(&handover, pair[1]) ? 0 : 1);
	(void)close(pair[1]);
	assert_int_equal(waitpid(leaver, &status, 0), leaver);
	assert_int_equal(status, 0);
	assert_int_equal(write(pair[0], "ask", 3), 3); /* while nobody has it */
	int fd = handover_take(&handover);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 3);
	assert_int_equal(write(fd, "answer", 6), 6);
	assert_int_equal(read(pair[0], bytes, sizeof(bytes)), 6);
	(void)close(fd);
	assert_int_equal(read(pair[0], bytes, sizeof(bytes)), 0);
	(void)close(pair[0]);
}

static void test_a_full_queue_refuses_until_somebody_takes(void **state)
{
	int put = 0, fd, spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)state;
	assert_true(spare >= 0);
	while (put < FAR_TOO_MANY && handover_put(&handover, spare))
		put++;
	assert_in_range(put, 100, FAR_TOO_MANY - 1);
	for (int taken = 0; taken < put; taken++) {
		fd = handover_take(&handover);
		assert_true(fd >= 0);
		(void)close(fd);
	}
	assert_int_equal(handover_take(&handover), -1);
	assert_true(handover_put(&handover, spare));
	(void)close(handover_take(&handover));
	(void)close(spare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_waits),
		cmocka_unit_test(test_what_was_written_is_there_for_the_next),
		cmocka_unit_test(test_a_full_queue_refuses_until_somebody_takes),
	};
	return cmocka_run_group_tests(tests, open_it, close_it);
}
