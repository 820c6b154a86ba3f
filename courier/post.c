/* libcurl in our loop: see post.h. */
#include "courier/post.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "courier/body.h"
#include "courier/hook.h"

#include "common/base.h"

enum {
	CONNECT_TIMEOUT_MS = 3000,
	ANSWER_BYTES_MAX = 65536, /* of the body of an answer, which nobody reads */
	IDLE_CONNECTIONS = 512,
	RETRY_AFTER_MAX_S = 3600,
	HANDLES_KEPT = 256,
};

struct flight {
	struct post *post;
	struct item *item;
	CURL *easy;
	struct curl_slist *headers;
	int64_t begun_us; /* wall */
	int64_t begun_mono_us;
	size_t answer_bytes;
	bool is_walled; /* an address was refused */
	char error[CURL_ERROR_SIZE];
	struct flight *prev, *next;
};

struct post {
	struct courier *c;
	post_done_fn *done;
	CURLM *multi;
	struct flight *flights;
	CURL *kept[HANDLES_KEPT]; /* handles to use again */
	unsigned kept_n;
	int64_t deadline_us;
};

/* ---- libcurl's descriptors and timer ---- */

struct watch {
	struct post *post;
	curl_socket_t fd;
};

static void collect(struct post *post);

static void on_ready(void *arg, uint32_t events)
{
	const struct watch *watch = arg; /* may be freed by what follows */
	struct post *post = watch->post;
	curl_socket_t fd = watch->fd;
	int mask = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		   (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		   (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
	int running;

	(void)curl_multi_socket_action(post->multi, fd, mask, &running);
	collect(post);
}

static uint32_t events_of(int what)
{
	return (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
}

/* libcurl keeps our watch with the socket. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct post *post = arg;
	struct watch *watch = socket_arg;
	struct err err;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			poll_remove(post->c->poll, fd);
		free(watch);
		(void)curl_multi_assign(post->multi, fd, NULL);
		return 0;
	}
	if (watch) {
		poll_change(post->c->poll, fd, events_of(what));
		return 0;
	}
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		die("memory.exhausted", "bytes=%zu", sizeof(*watch));
	*watch = (struct watch){post, fd};
	if (!poll_add(post->c->poll, fd, events_of(what), on_ready, watch, &err))
		die("post.watch", "why=%s", log_q(err.text));
	(void)curl_multi_assign(post->multi, fd, watch);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct post *post = arg;
	(void)multi;
	post->deadline_us = timeout_ms < 0 ? INT64_MAX : clock_mono_us() + timeout_ms * US_PER_MS;
	return 0;
}

/* ---- one request ---- */

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct flight *flight = arg;

	(void)purpose;
	if (!wall_admits(&flight->post->c->wall, &address->addr)) {
		flight->is_walled = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take_answer(char *bytes, size_t size, size_t n, void *arg)
{
	struct flight *flight = arg;
	(void)bytes;
	flight->answer_bytes += size * n;
	return flight->answer_bytes > ANSWER_BYTES_MAX ? 0 : size * n;
}

static CURL *take_handle(struct post *post)
{
	if (post->kept_n)
		return post->kept[--post->kept_n];
	CURL *easy = curl_easy_init();
	if (!easy)
		die("memory.exhausted", "what=curl");
	return easy;
}

static void keep_handle(struct post *post, CURL *easy)
{
	if (post->kept_n == HANDLES_KEPT) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy); /* connections and sessions belong to the multi handle */
	post->kept[post->kept_n++] = easy;
}

static void add_header(struct flight *flight, const struct strbuf *line)
{
	struct curl_slist *headers = curl_slist_append(flight->headers, line->p);
	if (!headers)
		die("memory.exhausted", "what=header");
	flight->headers = headers;
}

static void add_signatures(struct flight *flight, struct str id, int64_t timestamp)
{
	static const char *const plain[HOOK_SECRETS] = {"X-Signature: ", "X-Signature-Previous: "};
	const struct hook *hook = flight->item->hook;
	struct str body = strbuf_view(&flight->item->body);
	struct strbuf line = STRBUF_INIT, both = STRBUF_INIT;

	strbuf_puts(&both, "webhook-signature:");
	bool is_signed = false;
	for (int i = 0; i < hook->secrets_n; i++) {
		struct str secret = str_of(hook->secrets[i]);
		strbuf_reset(&line);
		strbuf_puts(&line, plain[i]);
		sign_body(&line, secret, body);
		add_header(flight, &line);
		strbuf_putc(&both, ' ');
		is_signed |= sign_standard(&both, secret, id, timestamp, body);
	}
	if (is_signed)
		add_header(flight, &both);
	strbuf_free(&line);
	strbuf_free(&both);
}

static void add_headers(struct flight *flight)
{
	const struct item *item = flight->item;
	char id[BODY_ID_BYTES];
	struct strbuf line = STRBUF_INIT;
	int64_t timestamp = flight->begun_us / US_PER_S;

	body_id(item->hook->client_id, item->seq, id);
	strbuf_puts(&line, "Content-Type: application/json");
	add_header(flight, &line);
	strbuf_reset(&line);
	strbuf_printf(&line, "webhook-id: %s", id);
	add_header(flight, &line);
	strbuf_reset(&line);
	strbuf_printf(&line, "webhook-timestamp: %lld", (long long)timestamp);
	add_header(flight, &line);
	strbuf_reset(&line);
	strbuf_puts(&line, "Expect:"); /* one round trip, whatever the size */
	add_header(flight, &line);
	strbuf_free(&line);
	add_signatures(flight, str_of(id), timestamp);
}

static void set_up(struct flight *flight)
{
	const struct conf *conf = flight->post->c->conf;
	const struct item *item = flight->item;
	CURL *easy = flight->easy;
	CURLcode ok = CURLE_OK;

	ok |= curl_easy_setopt(easy, CURLOPT_PRIVATE, flight);
	ok |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, flight->error);
	ok |= curl_easy_setopt(easy, CURLOPT_URL, item->hook->url);
	ok |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
	ok |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	ok |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
	ok |= curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	ok |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	ok |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
		MIN((long)CONNECT_TIMEOUT_MS, (long)conf->courier_timeout_ms));
	ok |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)conf->courier_timeout_ms);
	ok |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	ok |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, flight);
	ok |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
	ok |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, flight);
	ok |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "ccs-courier/" CCS_VERSION);
	ok |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, flight->headers);
	ok |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, item->body.p);
	ok |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)item->body.n);
	if (conf->courier_ca_file[0])
		ok |= curl_easy_setopt(easy, CURLOPT_CAINFO, conf->courier_ca_file);
	if (ok != CURLE_OK)
		die("post.options", "code=%d", (int)ok);
}

void post_send(struct post *post, struct item *item)
{
	struct flight *flight = calloc(1, sizeof(*flight));
	if (!flight)
		die("memory.exhausted", "bytes=%zu", sizeof(*flight));
	item_took_off(post->c, item);
	flight->post = post;
	flight->item = item;
	flight->easy = take_handle(post);
	flight->begun_us = post->c->now_us;
	flight->begun_mono_us = post->c->now_mono_us;
	add_headers(flight);
	set_up(flight);
	DL_APPEND(post->flights, flight);
	if (curl_multi_add_handle(post->multi, flight->easy) != CURLM_OK)
		die("post.add", "client=%s", item->hook->accountcode);
}

static void free_flight(struct post *post, struct flight *flight)
{
	DL_DELETE(post->flights, flight);
	(void)curl_multi_remove_handle(post->multi, flight->easy);
	keep_handle(post, flight->easy);
	curl_slist_free_all(flight->headers);
	free(flight);
}

/* ---- ends ---- */

static void land(struct post *post, struct flight *flight, CURLcode code)
{
	long status = 0;
	curl_off_t retry_after_s = 0;
	struct item *item = flight->item;
	char error[CURL_ERROR_SIZE];

	(void)curl_easy_getinfo(flight->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(flight->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	struct attempt attempt = {
		.at_us = flight->begun_us,
		.ms = (clock_mono_us() - flight->begun_mono_us) / US_PER_MS,
		.status = (int)status,
		.retry_after_us = MIN(retry_after_s, (curl_off_t)RETRY_AFTER_MAX_S) * US_PER_S,
	};
	bool is_whole = code == CURLE_OK || (code == CURLE_WRITE_ERROR && status);
	if (flight->is_walled && !is_whole)
		attempt.error = "its address is not public";
	else if (!is_whole) {
		memcpy(error, flight->error, sizeof(error));
		attempt.error = error[0] ? error : curl_easy_strerror(code);
		attempt.status = 0;
	}
	struct courier *c = post->c;
	free_flight(post, flight);
	if (hook_landed(c, item))
		post->done(c, item, &attempt);
}

static void collect(struct post *post)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(post->multi, &left))) {
		struct flight *flight = NULL;
		CURLcode code = message->data.result;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&flight);
		if (message->msg == CURLMSG_DONE && flight)
			land(post, flight, code);
	}
}

void post_abort(struct post *post)
{
	while (post->flights) {
		struct item *item = post->flights->item;
		free_flight(post, post->flights);
		if (hook_landed(post->c, item)) {
			item->state = ITEM_DONE;
			item_free(post->c, item);
		}
	}
}

int64_t post_deadline(const struct post *post)
{
	return post->deadline_us;
}

void post_turn(struct post *post, int64_t mono_us)
{
	int running;
	if (mono_us < post->deadline_us)
		return;
	post->deadline_us = INT64_MAX;
	(void)curl_multi_socket_action(post->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(post);
}

struct post *post_new(struct courier *c, post_done_fn *done)
{
	struct post *post = calloc(1, sizeof(*post));
	if (!post || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
		!(post->multi = curl_multi_init()))
		die("memory.exhausted", "what=curl");
	post->c = c;
	post->done = done;
	post->deadline_us = INT64_MAX;
	CURLMcode ok = CURLM_OK;
	ok |= curl_multi_setopt(post->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	ok |= curl_multi_setopt(post->multi, CURLMOPT_SOCKETDATA, post);
	ok |= curl_multi_setopt(post->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	ok |= curl_multi_setopt(post->multi, CURLMOPT_TIMERDATA, post);
	ok |= curl_multi_setopt(post->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
	if (ok != CURLM_OK)
		die("post.options", "code=%d", (int)ok);
	return post;
}

void post_free(struct post *post)
{
	post_abort(post);
	while (post->kept_n)
		curl_easy_cleanup(post->kept[--post->kept_n]);
	(void)curl_multi_cleanup(post->multi);
	curl_global_cleanup();
	free(post);
}
