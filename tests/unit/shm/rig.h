/* A small segment of a node that nobody else has, for the unit tests of shm. */
#ifndef CCS_TESTS_SHM_RIG_H
#define CCS_TESTS_SHM_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "shm/segment.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

struct rig {
	struct conf conf;
	struct segment seg; /* the dispatcher's handle */
	bool adopted;
};

static inline void rig_conf(struct conf *conf)
{
	*conf = (struct conf){
		.segment_live_calls = 16,
		.segment_window_entries = 16,
		.segment_clients = 10,
		.segment_servers = 10,
		.segment_allocations = 20,
		.segment_worker_slots = 4,
		.segment_event_bytes = 16384,
	};
	(void)snprintf(conf->common_node, sizeof(conf->common_node), "unit-%d", (int)getpid());
}

static inline void assert_ok(bool done, const struct err *err)
{
	if (!done)
		fail_msg("%s", err->text);
}

/* cmocka setup: a new segment, as the dispatcher holds it. */
static inline int rig_open(void **state)
{
	static struct rig rig;
	struct err err;
	rig_conf(&rig.conf);
	if (!segment_init(&rig.seg, rig.conf.common_node, &err) ||
		!segment_create_or_adopt(&rig.seg, &rig.conf, &rig.adopted, &err)) {
		print_error("%s\n", err.text);
		return -1;
	}
	*state = &rig;
	return 0;
}

static inline int rig_close(void **state)
{
	struct rig *rig = *state;
	segment_remove(&rig->seg);
	return 0;
}

/* A reader's handle on .state and .ev. */
static inline void rig_reader(const struct rig *rig, struct segment *reader)
{
	struct err err;
	assert_ok(segment_init(reader, rig->conf.common_node, &err), &err);
	assert_ok(segment_attach_state(reader, &err), &err);
	assert_ok(segment_attach_events(reader, &err), &err);
}

/* A worker's handle on .in and .state. */
static inline void rig_worker(const struct rig *rig, struct segment *worker)
{
	struct err err;
	assert_ok(segment_init(worker, rig->conf.common_node, &err), &err);
	assert_ok(segment_open_in(worker, &rig->conf, &err), &err);
	assert_ok(segment_attach_state(worker, &err), &err);
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, rig_open, rig_close)

#endif
