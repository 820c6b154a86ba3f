/* Hooks, chains and items: see hook.h. */
#include "courier/hook.h"

#include <stdlib.h>
#include <utlist.h>

#include "common/log.h"
#include "common/str.h"

#include "common/base.h"

static void *make(size_t bytes)
{
	void *p = calloc(1, bytes);
	if (!p)
		die("memory.exhausted", "bytes=%zu", bytes);
	return p;
}

/* ---- hosts ---- */

/* "https://host:port/path" without the rest; the port only when it is written. */
static void name_of_host(const char *url, char out[HOST_NAME_BYTES])
{
	const char *host = strstr(url, "://");
	host = host ? host + 3 : url;
	size_t n = MIN(strcspn(host, "/?#"), (size_t)HOST_NAME_BYTES - 1);
	for (size_t i = 0; i < n; i++)
		out[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] + 32) : host[i];
	out[n] = '\0';
}

static struct host *host_of(struct courier *c, const char *url)
{
	char name[HOST_NAME_BYTES];
	struct host *host;

	name_of_host(url, name);
	HASH_FIND_STR(c->hosts, name, host);
	if (!host) {
		host = make(sizeof(*host));
		memcpy(host->name, name, sizeof(name));
		HASH_ADD_STR(c->hosts, name, host);
	}
	host->users++;
	return host;
}

static void host_leave(struct courier *c, struct host *host)
{
	if (--host->users)
		return;
	if (host->is_listed)
		DL_DELETE(c->busy, host);
	HASH_DEL(c->hosts, host);
	free(host);
}

/* A hook is in its host's list, and that in the courier's, exactly while it has something ready. */
static void list(struct courier *c, struct hook *hook)
{
	struct host *host = hook->host;
	bool wanted = hook->ready && !hook->is_gone;

	if (wanted && !hook->is_listed)
		DL_APPEND(host->hooks, hook);
	else if (!wanted && hook->is_listed)
		DL_DELETE(host->hooks, hook);
	hook->is_listed = wanted;
	bool is_busy = host->hooks != NULL;
	if (is_busy && !host->is_listed)
		DL_APPEND(c->busy, host);
	else if (!is_busy && host->is_listed)
		DL_DELETE(c->busy, host);
	host->is_listed = is_busy;
}

/* ---- items ---- */

struct item *item_new(struct hook *hook, bool is_retry)
{
	struct item *item = make(sizeof(*item));
	item->hook = hook;
	item->is_retry = is_retry;
	if (is_retry) {
		DL_APPEND(hook->retries, item);
		hook->retries_n++;
	} else {
		DL_APPEND(hook->items, item);
		hook->items_n++;
	}
	return item;
}

static void ready(struct courier *c, struct item *item)
{
	item->state = ITEM_READY;
	DL_APPEND2(item->hook->ready, item, ready_prev, ready_next);
	list(c, item->hook);
}

static void join_chain(struct hook *hook, struct item *item)
{
	struct chain *chain;
	HASH_FIND(hh, hook->chains, &item->entry_id, sizeof(item->entry_id), chain);
	if (!chain) {
		chain = make(sizeof(*chain));
		chain->entry_id = item->entry_id;
		HASH_ADD(hh, hook->chains, entry_id, sizeof(chain->entry_id), chain);
	}
	item->chain = chain;
	DL_APPEND2(chain->items, item, chain_prev, chain_next);
}

void item_is_there(struct courier *c, struct item *item)
{
	c->items_n++;
	if (!item->is_retry && item->entry_id)
		join_chain(item->hook, item);
	if (!item->chain || (!item->chain->moved && item->chain->items == item))
		ready(c, item);
}

static void unready(struct courier *c, struct item *item)
{
	if (item->state != ITEM_READY)
		return;
	DL_DELETE2(item->hook->ready, item, ready_prev, ready_next);
	list(c, item->hook);
}

void item_took_off(struct courier *c, struct item *item)
{
	unready(c, item);
	item->state = ITEM_FLYING;
	item->hook->flying++;
	item->hook->host->flying++;
	c->flying++;
}

static void free_chain(struct hook *hook, struct chain *chain)
{
	HASH_DEL(hook->chains, chain);
	free(chain);
}

void item_is_done(struct courier *c, struct item *item)
{
	struct chain *chain = item->chain;

	unready(c, item);
	item->state = ITEM_DONE;
	strbuf_free(&item->body);
	if (!chain)
		return;
	DL_DELETE2(chain->items, item, chain_prev, chain_next);
	item->chain = NULL;
	if (chain->moved)
		return;
	if (!chain->items)
		free_chain(item->hook, chain);
	else if (chain->items->state == ITEM_WAITING)
		ready(c, chain->items);
}

void item_free(struct courier *c, struct item *item)
{
	struct hook *hook = item->hook;

	unready(c, item);
	if (item->chain) {
		DL_DELETE2(item->chain->items, item, chain_prev, chain_next);
		item->chain = NULL;
	}
	if (item->is_retry) {
		DL_DELETE(hook->retries, item);
		hook->retries_n--;
	} else {
		DL_DELETE(hook->items, item);
		hook->items_n--;
	}
	c->items_n--;
	strbuf_free(&item->body);
	free(item);
}

void chains_forget_moved(struct courier *c, unsigned settlement)
{
	for (struct hook *hook = c->hooks; hook; hook = hook->hh.next) {
		struct chain *chain, *next;
		HASH_ITER (hh, hook->chains, chain, next)
			if (chain->moved && chain->moved_in <= settlement && !chain->items)
				free_chain(hook, chain);
	}
}

/* ---- hooks ---- */

struct hook *hook_find(struct courier *c, uint64_t client_id)
{
	struct hook *hook;
	HASH_FIND(hh, c->hooks, &client_id, sizeof(client_id), hook);
	return hook;
}

static void free_items(struct courier *c, struct item *items)
{
	for (struct item *item = items, *next; item; item = next) {
		next = item->next;
		if (item->state != ITEM_FLYING)
			item_free(c, item);
	}
}

static void free_hook(struct courier *c, struct hook *hook)
{
	struct chain *chain, *next;
	HASH_ITER (hh, hook->chains, chain, next)
		free_chain(hook, chain);
	host_leave(c, hook->host);
	secret_wipe(hook->secrets, sizeof(hook->secrets));
	free(hook);
}

static void remove_hook(struct courier *c, struct hook *hook)
{
	hook->is_gone = true;
	free_items(c, hook->items);
	free_items(c, hook->retries);
	list(c, hook);
	HASH_DEL(c->hooks, hook);
	if (hook->flying)
		HASH_ADD(hh, c->ghosts, client_id, sizeof(hook->client_id), hook);
	else
		free_hook(c, hook);
}

bool hook_landed(struct courier *c, struct item *item)
{
	struct hook *hook = item->hook;

	hook->flying--;
	hook->host->flying--;
	c->flying--;
	if (!hook->is_gone)
		return true;
	item->state = ITEM_DONE;
	item_free(c, item);
	if (hook->flying == 0) {
		HASH_DEL(c->ghosts, hook);
		free_hook(c, hook);
	}
	return false;
}

void hooks_forget(struct courier *c)
{
	struct hook *hook, *next;
	HASH_ITER (hh, c->hooks, hook, next)
		remove_hook(c, hook);
}

static void take_secret(struct courier *c, struct hook *hook, struct str sealed)
{
	struct strbuf plain = STRBUF_INIT;
	struct err err;

	if (!sealed.n)
		return;
	if (!secret_open(&c->secret_key, sealed, &plain, &err))
		log_error("webhook.secret", "client=%s why=%s", hook->accountcode, log_q(err.text));
	else if (str_copy(hook->secrets[hook->secrets_n], SIGN_SECRET_BYTES, strbuf_view(&plain)))
		hook->secrets_n++;
	if (plain.p)
		secret_wipe(plain.p, plain.n);
	strbuf_free(&plain);
}

/* Columns: client_id, seq, accountcode, callbackurl, present secret, other secret, when the next retry is due. */
static void take(struct courier *c, const struct rows *rows, int row)
{
	uint64_t client_id = (uint64_t)row_i64(rows, row, 0);
	int64_t seq = row_i64(rows, row, 1), due_us = row_time(rows, row, 6);
	struct hook *hook = hook_find(c, client_id);

	if (!hook) {
		hook = make(sizeof(*hook));
		hook->client_id = client_id;
		hook->stored_seq = hook->read_seq = seq;
		hook->retry_due_us = INT64_MAX;
		HASH_ADD(hh, c->hooks, client_id, sizeof(hook->client_id), hook);
	} else if (seq > hook->read_seq) { /* its address was taken away and given again */
		hook->stored_seq = hook->read_seq = seq;
	}
	char url[HOOK_URL_BYTES];
	bool fits = row_copy(rows, row, 2, hook->accountcode, sizeof(hook->accountcode)) &&
		    row_copy(rows, row, 3, url, sizeof(url));
	if (!fits)
		die("webhook.row", "client=%llu", (unsigned long long)client_id);
	if (!hook->host || strcmp(url, hook->url) != 0) {
		struct host *before = hook->host;
		bool was_listed = hook->is_listed;
		if (was_listed) {
			struct item *kept = hook->ready;
			hook->ready = NULL;
			list(c, hook);
			hook->ready = kept;
		}
		memcpy(hook->url, url, sizeof(url));
		hook->host = host_of(c, url);
		hook->host->flying += hook->flying;
		if (before) {
			before->flying -= hook->flying;
			host_leave(c, before);
		}
		list(c, hook);
	}
	hook->secrets_n = 0;
	take_secret(c, hook, row_bytes(rows, row, 4));
	take_secret(c, hook, row_bytes(rows, row, 5));
	if (due_us != INT64_MIN)
		hook->retry_due_us = MIN(hook->retry_due_us, due_us);
	hook->is_seen = true;
}

void hooks_take(struct courier *c, const struct rows *rows)
{
	struct hook *hook, *next;

	for (hook = c->hooks; hook; hook = hook->hh.next)
		hook->is_seen = false;
	for (int row = 0; row < rows->n; row++)
		take(c, rows, row);
	HASH_ITER (hh, c->hooks, hook, next)
		if (!hook->is_seen)
			remove_hook(c, hook);
}
