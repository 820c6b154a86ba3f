/* Words of a client: see tenant.h. */
#include "shm/tenant.h"

#include "shm/hash.h"

struct shm_tenant *tenant_find(const struct segment *seg, uint64_t client_id, bool create)
{
	uint32_t n;
	struct shm_tenant *tenants = seg_tenants(seg, &n);
	if (client_id == 0)
		return NULL;
	for (uint32_t i = 0; i < n; i++) {
		struct shm_tenant *words = &tenants[(hash_id(client_id) + i) % n];
		uint64_t id = atomic_load_explicit(&words->client_id, memory_order_acquire);
		if (id == 0 && !(create && seg->map[SHM_IN].writable))
			return NULL;
		/* Losing the race to somebody who takes the row for the same client is winning. */
		if (id == 0 && atomic_compare_exchange_strong_explicit(&words->client_id, &id,
				       client_id, memory_order_acq_rel, memory_order_acquire))
			return words;
		if (id == client_id)
			return words;
	}
	return NULL;
}

/* The words count from 0 in every .in; the object's birth makes two lives of it differ. */
bool tenant_generation(const struct segment *seg, uint64_t client_id, uint64_t *generation)
{
	const struct shm_tenant *words = tenant_find(seg, client_id, true);
	if (!words)
		return false;
	*generation = seg->map[SHM_IN].created_us +
		      atomic_load_explicit(&words->generation, memory_order_acquire);
	return true;
}

bool tenant_changed(const struct segment *seg, uint64_t client_id)
{
	struct shm_tenant *words = tenant_find(seg, client_id, true);
	if (!words || !seg->map[SHM_IN].writable)
		return false;
	atomic_fetch_add_explicit(&words->generation, 1, memory_order_acq_rel);
	return true;
}
