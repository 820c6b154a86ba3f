/* Lists, page by page: see page.h. */
#include "fcgi/page.h"
#include "fcgi/put.h"

#include "common/base.h"

enum { SIZE_DEFAULT = 50, SIZE_MOST = 100 };
static const uint64_t PAGE_MAX = 10000000;

static bool read_sort(const struct req *req, const char *order, bool *descending, struct err *err)
{
	struct str sort = req_query(req, "sort"), name = sort;
	if (!sort.p)
		return true;
	bool minus = sort.n && sort.p[0] == '-';
	if (minus)
		name = (struct str){sort.p + 1, sort.n - 1};
	if (!str_eq(name, str_of(order)))
		return fail(err, ERR_INPUT, "sort must be %s or -%s", order, order);
	*descending = minus;
	return true;
}

bool page_read(const struct req *req, const char *order, struct page *page, struct err *err)
{
	*page = (struct page){.number = 1, .size = SIZE_DEFAULT};
	return req_query_u64(req, "page", 1, PAGE_MAX, &page->number, err) &&
	       req_query_u64(req, "size", 1, SIZE_MOST, &page->size, err) &&
	       read_sort(req, order, &page->descending, err);
}

void page_begin(struct strbuf *sb)
{
	put_object(sb, NULL);
	put_array(sb, "items");
}

void page_members(struct strbuf *sb, const struct page *page, uint64_t total)
{
	put_u64(sb, "total", total);
	put_u64(sb, "page", page->number);
	put_u64(sb, "size", page->size);
	put_u64(sb, "pages", (total + page->size - 1) / page->size);
}

void page_end(struct strbuf *sb, const struct page *page, uint64_t total)
{
	put_end(sb, ']');
	page_members(sb, page, total);
	put_end(sb, '}');
}
