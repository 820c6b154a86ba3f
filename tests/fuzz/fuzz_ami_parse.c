/* Anything may come from the other side of an AMI connection: whole or in pieces, it means the same,
 * and no view leaves the buffer.
 *
 * Run: make fuzz. Its corpus is replayed by tests/unit/dispatcher/test_ami_parse.c, which includes
 * this file.
 *
 * Sources: dispatcher/ami_parse.c common/str.c
 */
#include <stdlib.h>

#include "dispatcher/ami_parse.h"

#include "common/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

static void check_views(struct str in, const struct ami_message *msg)
{
	CHECK(msg->kind < AMI_KIND__N && msg->event < AMI_EVENT__N);
	for (int h = 0; h < AMI_HEADER__N; h++) {
		struct str value = ami_header(msg, (enum ami_header)h);
		if (!(msg->seen & UINT32_C(1) << h))
			CHECK(value.n == 0);
		else
			CHECK(value.p >= in.p && value.p + value.n <= in.p + in.n &&
				!memchr(value.p, '\n', value.n));
	}
	(void)ami_timestamp_us(msg);
	(void)ami_is_success(msg);
	(void)ami_number(msg, AMI_H_CAUSE, 0);
}

/* The same message when its bytes come one by one. */
static void check_pieces(struct str in, size_t used, uint32_t seen)
{
	struct ami_message msg;
	size_t searched = 0, took = 0;

	for (size_t n = 0; n < used; n++)
		CHECK(ami_parse_next((struct str){in.p, n}, &searched, &msg, &took) == AMI_MORE);
	CHECK(ami_parse_next((struct str){in.p, used}, &searched, &msg, &took) == AMI_MESSAGE);
	CHECK(took == used && msg.seen == seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size}, version;
	struct ami_message msg;
	size_t used = 0, searched = 0;

	if (ami_parse_banner(in, &version, &used) == AMI_MESSAGE) {
		CHECK(used <= in.n && version.p + version.n <= in.p + used);
		in = (struct str){in.p + used, in.n - used};
	}
	while (ami_parse_next(in, &searched, &msg, &used) == AMI_MESSAGE) {
		CHECK(used > 0 && used <= in.n && searched == 0);
		check_views(in, &msg);
		check_pieces(in, used, msg.seen);
		in = (struct str){in.p + used, in.n - used};
	}
	CHECK(searched <= in.n);
	return 0;
}
