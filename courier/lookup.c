/* getaddrinfo_a without waiting: see lookup.h. */
#include "courier/lookup.h"

#include <netdb.h>
#include <stdlib.h>
#include <utlist.h>

#include "common/log.h"

#include "common/base.h"

struct lookup {
	struct gaicb request;
	struct addrinfo hints;
	char host[256];
	bool failed_to_start;
	struct lookup *next; /* of those that were dropped too early */
};

/* A request that a thread works on may not be freed: it is later. */
static struct lookup *dropped;

static void free_lookup(struct lookup *lookup)
{
	if (lookup->request.ar_result)
		freeaddrinfo(lookup->request.ar_result);
	free(lookup);
}

static bool is_done(const struct lookup *lookup)
{
	/* glibc does not change it; its prototype lacks the const */
	return lookup->failed_to_start ||
	       gai_error((struct gaicb *)(uintptr_t)&lookup->request) != EAI_INPROGRESS;
}

static void free_dropped(void)
{
	struct lookup *lookup, *next;
	LL_FOREACH_SAFE (dropped, lookup, next)
		if (is_done(lookup)) {
			LL_DELETE(dropped, lookup);
			free_lookup(lookup);
		}
}

struct lookup *lookup_start(const char *host)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	if (!lookup || !str_copy(lookup->host, sizeof(lookup->host), str_of(host)))
		die("lookup.start", "bytes=%zu", strlen(host));
	free_dropped();
	lookup->hints = (struct addrinfo){.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	lookup->request = (struct gaicb){.ar_name = lookup->host, .ar_request = &lookup->hints};
	struct gaicb *list[] = {&lookup->request};
	lookup->failed_to_start = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0;
	return lookup;
}

static bool is_public_one(const struct sockaddr *address)
{
	static const struct address_wall bare = {.n = 0};
	return wall_admits(&bare, address);
}

enum lookup_state lookup_ask(const struct lookup *lookup, const struct address_wall *wall,
	char address[LOOKUP_TEXT_BYTES], bool *is_private, struct err *err)
{
	const struct addrinfo *found = lookup->request.ar_result;

	if (!is_done(lookup))
		return LOOKUP_PENDING;
	int code = lookup->failed_to_start ? EAI_AGAIN
					   : gai_error((struct gaicb *)(uintptr_t)&lookup->request);
	if (code != 0 || !found) {
		fail(err, ERR_BUSY, "its host cannot be resolved: %s", gai_strerror(code));
		return LOOKUP_FAILED;
	}
	for (const struct addrinfo *a = found; a; a = a->ai_next)
		if (!wall_admits(wall, a->ai_addr)) {
			fail(err, ERR_INPUT, "its address is not public");
			return LOOKUP_FAILED;
		}
	if (getnameinfo(found->ai_addr, found->ai_addrlen, address, LOOKUP_TEXT_BYTES, NULL, 0,
		    NI_NUMERICHOST) != 0) {
		fail(err, ERR_BUSY, "its address has no text");
		return LOOKUP_FAILED;
	}
	*is_private = !is_public_one(found->ai_addr);
	return LOOKUP_FOUND;
}

void lookup_drop(struct lookup *lookup)
{
	if (is_done(lookup) || gai_cancel(&lookup->request) == EAI_CANCELED)
		free_lookup(lookup);
	else
		LL_PREPEND(dropped, lookup);
}
