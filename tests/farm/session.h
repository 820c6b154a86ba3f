/* One AMI connection to a server: reads actions, is told answers and events. */
#ifndef CCS_TESTS_FARM_SESSION_H
#define CCS_TESTS_FARM_SESSION_H

#include "tests/farm/dice.h"
#include "tests/farm/farm.h"
#include "tests/farm/request.h"

enum class { CLASS_CALL = 1, CLASS_CDR = 2, CLASS_SYSTEM = 4, CLASS_USER = 8, CLASS_ALL = 15 };

/* Something said that is not due yet: the first bytes of session.held. */
struct held {
	int64_t at_us;
	size_t bytes;
};

struct session {
	struct server *server;
	struct session *prev, *next;		 /* of the server */
	struct session *unsent_next, *dead_next; /* of the farm */
	int fd;
	bool unsent;  /* on the farm's list */
	bool closed;  /* no more is read or said */
	bool ending;  /* closed as soon as all has been written */
	bool blocked; /* the kernel takes nothing now */
	bool resting; /* slow: reads on when the timer says so */
	bool user;    /* logged in */
	bool missed;  /* silent: something was not said, and never will be */
	bool in_line; /* the rest of a line that was too long is still to be dropped */
	uint32_t mask;
	char challenge[16];
	struct strbuf in, out, held;
	struct held *holds;
	size_t holds_n, holds_cap;
	uint32_t messages_left; /* half: until the cut */
	struct dice dice;
	struct timer release, rest;
	struct request request;
};

/* Takes over fd and greets. */
void session_open(struct server *server, int fd);

/* Cuts it; the peer sees the end of the stream. why goes into the record. */
void session_close(struct session *session, const char *why);

/* Says one whole message, as the server's mood allows. */
void session_say(struct session *session, struct str message);

/* Ends it when all that was said is written. */
void session_end(struct session *session);

/* What moods change at once: how fast it reads, how long it lives. */
void session_mood_changed(struct session *session);

/* End of a turn: writes what was said, frees what was closed. */
void sessions_flush(struct farm *farm);

#endif
