"""Two clients side by side: what each of them has, and how one would notice the other's."""
import dataclasses
import hashlib
import secrets
import string
import zlib

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase

# Good values of what is no id (endpoints.py).
FILLED = {"date": "2026-01-01", "page": 1, "size": 10, "flag": 1, "off": False, "format": "csv", "dialplan_format": "query", "detail_sort": "-started_at", "cursor": "1795338001020000.1.1", "wait": 1, "grouping": "server", "position": 0, "event_types": "call_started", "position_above": 9_000_000, "outcome": "dead", "file_format": "csv", "separator": "comma",
          "sort": "-id", "batch_status": "pending", "status": "busy", "number": "9020000001",
          "object": {}, "entries": [{"phone_number": "9020000001"}], "new": 4711, "username": "nobody-at-all",
          "password": "a-good-password", "token": "x.y.z", "grant": None, "text": "text",
          "past": "2026-01-01T09:00:00Z", "future": "2036-01-01T09:00:00+05:30", "scopes": ["read"], "networks": ["127.0.0.0/8"], "days": 1, "grace": 60, "rules": ["busy:1:60"], "rule": "busy:1:60",
          "unwanted": "+442079460000", "all_unwanted": ["+442079460000"],  # nobody calls it
          # An administrator's may be anybody's: these are nobody's.
          "any_account": "NOBODY-AT-ALL", "any_key": 8_888_888_881}

# Everything of a client that a request could change, as one text.
STATE = """
select string_agg(what, E'\\n' order by what) from (
    select 'client ' || c::text as what from client c where id = %(id)s
    union all select 'user ' || u::text from app_user u where client_id = %(id)s
    union all select 'key ' || k.id || coalesce(k.revoked_at::text, '') || coalesce(k.expires_at::text, '')
                from api_key k where client_id = %(id)s
    union all select 'share ' || a::text from allocation a where client_id = %(id)s
    union all select 'batch ' || q::text from queue_master q where client_id = %(id)s
    union all select 'chunk ' || c.id || coalesce(c.dispatched_at::text, '') || coalesce(c.closed_as, '')
                from chunk c where client_id = %(id)s
    union all select 'entry ' || e::text from entry e where client_id = %(id)s
    union all select 'detail ' || d::text from call_detail d where client_id = %(id)s
    union all select 'list ' || l::text from dnc_list l where client_id = %(id)s
    union all select 'listed ' || n::text from dnc_number n where client_id = %(id)s
    union all select 'callback ' || r::text from webhook_retry r where client_id = %(id)s
    union all select 'secret ' || s.id || coalesce(s.expires_at::text, '') from webhook_secret s where client_id = %(id)s
    union all select 'control ' || c.id from control c where client_id = %(id)s
) everything
"""


@dataclasses.dataclass
class World:
    """A client that has one of everything: a batch that waits, a call that is over, a server of its own."""

    client: object
    batch_id: int
    queue_master_id: int
    call_id: str
    server_code: str
    mark: str  # stands in its custom_data
    key_id: int  # of a key that nobody uses

    @property
    def ids(self) -> dict:
        return {"accountcode": self.client.accountcode, "client_id": self.client.client_id,
                "queue_master_id": self.queue_master_id, "batch_id": self.batch_id,
                "entry_id": int(self.call_id[4:18], 16), "call_id": self.call_id,
                "server_code": self.server_code, "key_id": self.key_id}

    def signs(self) -> list[bytes]:
        """What is in no answer to anybody else."""
        client = self.client
        return [text.encode() for text in (client.accountcode, client.name, client.username,
                                           client.key, client.password, self.mark, self.call_id,
                                           self.server_code)]

    def secrets(self) -> list[bytes]:
        """What is in no answer to an administrator either."""
        return [text.encode() for text in (self.client.key, self.client.password, self.mark)]

    def state(self, stack) -> str:
        return stack.sql(STATE, id=self.client.client_id)[0][0]


def make_world(stack, asterisk, accountcode, batch_id) -> World:
    client = stack.new_client(accountcode, channels=2, requests_per_minute=10_000_000)
    server_code = f"of-{accountcode.lower()}"
    _add_server(stack, server_code)
    stack.stack.ccs.ctl("alloc", "set", client.accountcode, server_code, "--channels=0", "--rate-limit=0")
    mark = f"mark-{secrets.token_hex(8)}"
    call_id = client.call(asterisk.numbers("busy")[0], custom_data={"mark": mark})
    client.outcome(call_id)
    stack.wait_until(lambda: client.live_calls() == 0, "the call is over")
    answer = client.api.insert(batch_id, asterisk.numbers("busy", 3), custom_data={"mark": mark})
    _stop_calling(stack, client)
    spare = stack.ctl_json("key", "add", accountcode, "--name=spare")["id"]
    return World(client, batch_id, answer["queue_id"], call_id, server_code, mark, spare)


def _add_server(stack, server_code):
    """One that is never called."""
    stack.stack.ccs.ctl("server", "add", f"--server-code={server_code}", "--host=127.0.0.1", "--port=9",
                        "--ami-user=ccs", "--channel-template=PJSIP/{number}@x",
                        "--allowed-active-calls=1", "--rate-limit=1", "--status=disabled",
                        "--ami-secret-stdin", text="none")


def _stop_calling(stack, client):
    """Nothing of this client is dialled from now on, so that its state changes by requests alone."""
    stack.sql("""update client set active_time_start = (now() at time zone timezone + interval '2 hours')::time,
                                   active_time_end = (now() at time zone timezone + interval '3 hours')::time
                  where id = %s""", client.client_id)
    stack.reload(client.client_id)
    stack.wait_until(lambda: not stack.sql("select 1 from control where done_at is null"),
                     "the hours are known")


def remove_servers(stack, *worlds):
    codes = [world.server_code for world in worlds]
    stack.sql("""delete from allocation where server_id in (select id from server where server_code = any(%s));
                 delete from server where server_code = any(%s)""", codes, codes)
    stack.reload()


def new_key(stack, client) -> str:
    """Another API key of the client, made as ccsctl makes them."""
    text = "ccs_live_" + "".join(secrets.choice(_BASE62) for _ in range(32))
    check, rest = "", zlib.crc32(text.encode())
    for _ in range(6):
        check = _BASE62[rest % 62] + check
        rest //= 62
    stack.sql("insert into api_key (client_id, digest, shown) values (%s, %s, 'x')", client.client_id,
              hashlib.sha256((text + check).encode()).digest())
    return text + check
