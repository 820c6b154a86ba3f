/* Lists, page by page: {"items":[...],"total":n,"page":1,"size":50,"pages":n}. A page behind the end
 * has no items, and the same total. */
#ifndef CCS_FCGI_PAGE_H
#define CCS_FCGI_PAGE_H

#include "common/strbuf.h"
#include "fcgi/req.h"

struct page {
	uint64_t number; /* from 1 */
	uint64_t size;
	bool descending;
};

/* page, size and sort of the query. sort is the name of the one order that the list has, or the
 * name after a minus. Fails with INPUT. */
MUST_USE bool page_read(
	const struct req *req, const char *order, struct page *page, struct err *err);

static inline uint64_t page_offset(const struct page *page)
{
	return (page->number - 1) * page->size;
}

/* Around the items. */
void page_begin(struct strbuf *sb);
void page_end(struct strbuf *sb, const struct page *page, uint64_t total);

/* What page_end tells, for a list that tells more. */
void page_members(struct strbuf *sb, const struct page *page, uint64_t total);

#endif
