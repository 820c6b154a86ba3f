/* One Asterisk server: its connection, what waits to be written to it, and what it still owes. */
#ifndef CCS_DISPATCHER_SERVER_H
#define CCS_DISPATCHER_SERVER_H

#include "dispatcher/dispatcher.h"

/* Opens the connection of a server that the directory has just loaded, or adopts fd (>= 0), which the holder kept. */
void server_start(struct dispatcher *d, struct server *server, int fd);

/* Closes it. The server's calls stay. */
void server_stop(struct server *server);

/* Up and synchronised: it hears us. */
bool server_is_up(const struct server *server);

/* And the operator wants calls on it. */
bool server_takes_calls(const struct server *server);

/* Writes armed calls, oldest first, as far as the window of unanswered Originates allows. */
void server_write_armed(struct server *server);

/* Its connection (arg: the server) has room again: who found it full is woken. */
void server_drained(void *arg);

/* A Response to an Originate has come. */
void server_answered(struct server *server);

/* What its gates ask about. */
struct ami_facts server_facts_now(const struct server *server);

/* How many Originates it may owe a Response. */
uint32_t server_window(const struct server *server);

/* Asks for the end of a call; its Hangup follows. */
void server_hangup(struct server *server, const struct slot *slot, uint32_t cause);

/* Its timers: reconnects, Pings, deadlines. */
void server_tick(struct server *server);

/* ---- every turn, for those servers that have something to do: servers.c ---- */

/* It has calls to write, or bytes: until they are gone. */
void server_wants_flush(struct server *server);
void servers_flush(struct dispatcher *d);

/* Its next deadline may be another one. */
void server_set_deadline(struct server *server);
void servers_tick(struct dispatcher *d);
int64_t servers_deadline_mono_us(const struct dispatcher *d);

/* Before it is freed. */
void server_forget_turns(struct server *server);

/* The words in the segment that no event has renewed. Once a second, for all. */
void servers_show(struct dispatcher *d);

struct server *server_find(struct dispatcher *d, uint64_t id);

#endif
