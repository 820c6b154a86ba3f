/* The floor of tests/bench/api.py: the least that a FastCGI program on libfcgi does for a request when nginx keeps its
 * connections. It knows no key, limit or segment, and answers what it answers.
 *
 *     hello SOCKET PROCESSES
 */
#include <fcgiapp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base.h"

static const char answer[] = "Content-Type: application/json\r\n\r\n{\"status\": \"healthy\"}";

static void watch(int epoll, int fd, FCGX_Request *request)
{
	struct epoll_event event = {
		.events = EPOLLIN | (request ? EPOLLRDHUP : EPOLLEXCLUSIVE), .data.ptr = request};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		abort();
}

static void take_connection(int epoll, int listening)
{
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	FCGX_Request *request = malloc(sizeof(*request));
	if (!request || FCGX_InitRequest(request, -1, FCGI_FAIL_ACCEPT_ON_INTR) != 0)
		abort();
	request->ipcFd = fd;
	request->keepConnection = 1; /* else the first FCGX_Accept_r closes it */
	watch(epoll, fd, request);
}

static void serve_request(FCGX_Request *request)
{
	char byte;
	if (recv(request->ipcFd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
		FCGX_Free(request, 1);
		free(request);
		return;
	}
	if (FCGX_Accept_r(request) < 0) {
		free(request);
		return;
	}
	FCGX_PutStr(answer, sizeof(answer) - 1, request->out);
	FCGX_Finish_r(request);
}

__attribute__((noreturn)) static void work(int listening)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(epoll, listening, NULL);
	for (;;) {
		struct epoll_event events[64];
		int n = epoll_wait(epoll, events, ARRAY_LEN(events), -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				serve_request(events[i].data.ptr);
			else
				take_connection(epoll, listening);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		(void)fputs("usage: hello SOCKET PROCESSES\n", stderr);
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(0);
	if (FCGX_Init() != 0)
		return 1;
	int listening = FCGX_OpenSocket(argv[1], 1024);
	if (listening < 0)
		return 1;
	for (long i = strtol(argv[2], NULL, 10); i > 0; i--) {
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			work(listening);
		}
	}
	while (wait(NULL) > 0)
		;
	return 0;
}
