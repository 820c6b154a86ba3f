/* GET /admin/me: who an administrator is. */
#include "common/jwt.h"
#include "fcgi/put.h"
#include "fcgi/router.h"

#include "common/base.h"

bool handle_admin_me(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct strbuf *sb = &reply->body;
	(void)app;
	(void)err;

	put_object(sb, NULL);
	put_text(sb, "role", STR("admin"));
	put_array(sb, "scopes");
	for (uint32_t bit = 0; bit < SCOPE_BIT__N; bit++)
		if (req->scopes & 1U << bit)
			put_text(sb, NULL, str_of(scope_word(1U << bit)));
	put_end(sb, ']');
	if (req->token)
		put_u64(sb, "user_id", req->token->user_id);
	else
		put_u64(sb, "key_id", req->key_id);
	put_end(sb, '}');
	return true;
}
