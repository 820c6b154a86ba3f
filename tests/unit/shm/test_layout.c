/* The layout's fingerprint misses no byte. */
#include "tests/unit/shm/rig.h"

static bool is_struct(const struct shm_field *field)
{
	return !strchr(field->name, '.');
}

static void test_fields_cover_every_struct_without_a_gap(void **state)
{
	(void)state;
	size_t n, next = 0;
	const struct shm_field *fields = shm_fields(&n), *whole = &fields[0];
	assert_true(is_struct(whole));
	for (size_t i = 1; i < n; i++) {
		if (is_struct(&fields[i])) {
			if (next != whole->size)
				fail_msg("%s ends %zu bytes after its last field", whole->name,
					whole->size - next);
			whole = &fields[i];
			next = 0;
			continue;
		}
		if (fields[i].offset != next)
			fail_msg("%s begins at %zu, the field before it ends at %zu",
				fields[i].name, fields[i].offset, next);
		next = fields[i].offset + fields[i].size;
	}
	assert_int_equal(next, whole->size);
}

static void test_rows_are_whole_words(void **state)
{
	(void)state;
	size_t n;
	const struct shm_field *fields = shm_fields(&n);
	for (size_t i = 0; i < n; i++)
		if (is_struct(&fields[i]))
			assert_int_equal(fields[i].size % sizeof(uint64_t), 0);
}

static void test_hash_is_the_same_at_every_call(void **state)
{
	(void)state;
	assert_true(shm_layout_hash() != 0);
	assert_true(shm_layout_hash() == shm_layout_hash());
}

/* What the default configuration takes must fit a container's 64 MB. */
static void test_default_segment_fits_64_mb(void **state)
{
	(void)state;
	struct conf conf;
	struct err err;
	struct segment seg;
	bool adopted;
	char path[] = "/tmp/ccs-conf-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_ok(conf_load(&conf, path, &err), &err);
	(void)close(fd);
	(void)unlink(path);
	(void)snprintf(conf.common_node, sizeof(conf.common_node), "unit-%d", (int)getpid());
	assert_ok(segment_init(&seg, conf.common_node, &err), &err);
	assert_ok(segment_create_or_adopt(&seg, &conf, &adopted, &err), &err);
	size_t bytes = 0;
	for (int i = 0; i < SHM_OBJECT__N; i++)
		bytes += seg.map[i].bytes;
	segment_remove(&seg);
	assert_in_range(bytes, 1, 64 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_cover_every_struct_without_a_gap),
		cmocka_unit_test(test_rows_are_whole_words),
		cmocka_unit_test(test_hash_is_the_same_at_every_call),
		cmocka_unit_test(test_default_segment_fits_64_mb),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
