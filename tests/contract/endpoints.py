"""Every endpoint with what it takes, for tests that go through all of them.

fcgi/routes.def says which endpoints there are; here stands what each of their parameters and members means. A new endpoint
without an entry fails test_nasty.py.
"""
import dataclasses
import functools
import json
import re
import subprocess

from places import PROGRAMS

# What names something that belongs to one client.
IDS = ("accountcode", "client_id", "queue_master_id", "batch_id", "entry_id", "call_id", "server_code", "key_id")


@dataclasses.dataclass(frozen=True)
class Takes:
    """Names and meanings. An id is one of IDS; "new" is the name of something that is being made."""

    path: dict = dataclasses.field(default_factory=dict)
    query: dict = dataclasses.field(default_factory=dict)
    body: dict | None = None  # None: the body is not looked at
    file: bytes | None = None  # a body that is no JSON
    kind: str = "application/json"
    spends: str | None = None  # a request that succeeds ends its "key" or its "session"


_ACCOUNT = {"accountcode": "accountcode"}
_DATES = {"start_date": "date", "end_date": "date"}
_PAGE = {"page": "page", "size": "size"}
_KEY = {"name": "text", "scopes": "scopes", "networks": "networks", "expires_in_days": "days"}
SETTINGS = {"name": "text", "did": "text", "channels": "page", "calls_per_second": "page", "weight": "page",
            "start_at": "past", "deadline": "future", "ttl_seconds": "page", "record": "off", "amd": "off",
            "retry": "rules", "context": "text", "extension": "text"}
_ENTRY = {"phone_number": "number", "custom_data": "object"}

# Some of their members, by which nothing is made: one of them is taken or missing.
_CLIENT = {"accountcode": "accountcode", "name": "text", "rate_limit": "page", "callbackurl": "text", "is_active": "off"}
_USER = {"accountcode": "accountcode", "username": "username", "new_name": "username"}
_SERVER = {"server_code": "server_code", "host": "text", "port": "page", "tls": "off", "context": "entries"}
_SHARE = {"accountcode": "accountcode", "server_code": "server_code", "channels": "page"}

TAKES = {
    "health": Takes(),
    "status": Takes(),
    "login": Takes(body={"username": "username", "password": "password", "grant_type": "grant"}),
    "refresh": Takes(body={"refresh_token": "token", "grant_type": "grant"}),
    "logout": Takes(spends="session"),
    "change_password": Takes(body={"current_password": "password", "new_password": "password"}),
    "ws_ticket": Takes(),
    "active_calls": Takes(query=_ACCOUNT),
    "server_status": Takes(query={**_ACCOUNT, "server_code": "server_code"}),
    "client_me": Takes(),
    "allocated_servers": Takes(),
    "insert_batch": Takes(query={"strict": "flag", "dedupe": "flag", "dry_run": "off"}, body={"batch_id": "new", "data": "entries", "queue_id": "queue_master_id", **SETTINGS}),
    "load_batch": Takes(path={"batch_id": "new"}, query={"strict": "flag", "queue_id": "queue_master_id", "format": "file_format",
                                                         "separator": "separator", **SETTINGS, "retry": "rule"},
                        file=b"phone_number\n9020000001\n", kind="text/csv"),
    "quick_call": Takes(body=_ENTRY),
    "dispatch_calls": Takes(query=_ACCOUNT, body=_ACCOUNT),
    "setup_channels": Takes(query={**_ACCOUNT, "dry_run": "off"}, body=_ACCOUNT),
    "regenerate_api_key": Takes(body={"revoke_tokens": "off"}, spends="key"),
    "revoke_api_key": Takes(spends="key"),
    "client_limits": Takes(),
    "explain_client": Takes(),
    "explain_entry": Takes(path={"entry_id": "entry_id"}),
    "explain_batch": Takes(path={"queue_id": "queue_master_id"}),
    "call": Takes(path={"call_id": "call_id"}, query={"wait": "wait"}),
    "dialplan": Takes(path={"call_id": "call_id"}, query={"format": "dialplan_format"}),
    "batch": Takes(path={"batch_id": "batch_id"}),
    "export_entries": Takes(path={"batch_id": "batch_id"}, query={"format": "file_format", "status": "status", "spreadsheet": "flag"}),
    "change_batch": Takes(path={"batch_id": "batch_id"}, body=SETTINGS),
    "hang_up": Takes(path={"call_id": "call_id"}),
    "pause_batch": Takes(path={"batch_id": "batch_id"}),
    "resume_batch": Takes(path={"batch_id": "batch_id"}),
    "cancel_batch": Takes(path={"batch_id": "batch_id"}),
    "admin_audit": Takes(query={**_PAGE, "actor": "text", "action": "text", "subject": "text"}),
    "admin_erase_subject": Takes(path={"number": "number"}, query={"accountcode": "text"}),
    "erase_subject": Takes(path={"number": "number"}),
    "dnc": Takes(query={**_PAGE, "number": "unwanted", "format": "text"}),
    "dnc_add": Takes(body={"phone_number": "unwanted"}),
    "dnc_remove": Takes(body={"phone_numbers": "all_unwanted"}),
    "dnc_load": Takes(query={"format": "file_format"}, file=b"phone_number\n+442079460000\n", kind="text/csv"),
    "batch_dnc": Takes(path={"batch_id": "batch_id"}, query={**_PAGE, "number": "unwanted"}),
    "batch_dnc_add": Takes(path={"batch_id": "batch_id"}, body={"phone_numbers": "all_unwanted"}),
    "batch_dnc_remove": Takes(path={"batch_id": "batch_id"}, body={"phone_number": "unwanted"}),
    "admin_dnc": Takes(query={**_PAGE, "number": "unwanted"}),
    "admin_dnc_add": Takes(body={"phone_number": "unwanted"}),
    "admin_dnc_remove": Takes(body={"phone_number": "unwanted"}),
    "queue_masters": Takes(path={"client_id": "client_id"},
                           query={**_PAGE, **_DATES, "sort": "sort", "status": "batch_status"}),
    "queue_entries": Takes(path={"client_id": "client_id", "queue_master_id": "queue_master_id"},
                           query={**_PAGE, "sort": "sort", "status": "status",
                                  "phone_number": "number"}),
    "events": Takes(query={"after": "position", "types": "event_types", "batch_id": "batch_id", "server_code": "server_code",
                           "phone_number": "number", "limit": "size"}),
    "webhook": Takes(),
    "webhook_deliveries": Takes(query={"before": "position_above", "size": "size", "outcome": "outcome"}),
    "webhook_secret": Takes(body={**_ACCOUNT, "grace_seconds": "grace"}),
    "webhook_test": Takes(),
    "webhook_replay": Takes(body={**_ACCOUNT, "from_seq": "page", "to_seq": "page", "dead": "off"}),
    "call_details": Takes(query={**_ACCOUNT, **_DATES, **_PAGE, "batch_id": "batch_id",
                                 "status": "status", "phone_number": "number", "sort": "detail_sort",
                                 "format": "format", "cursor": "cursor", "spreadsheet": "flag"}),
    "list_keys": Takes(query={**_PAGE, "sort": "sort"}),
    "make_key": Takes(body={**_ACCOUNT, **_KEY}),
    "show_key": Takes(path={"key_id": "key_id"}),
    "end_key": Takes(path={"key_id": "key_id"}),
    "rotate_key": Takes(path={"key_id": "key_id"}, body={"grace_seconds": "grace"}),
    "admin_me": Takes(),
    "admin_list_keys": Takes(query={**_PAGE, "sort": "sort", "accountcode": "any_account"}),
    "admin_make_key": Takes(body={"accountcode": "any_account", **_KEY}),
    "admin_show_key": Takes(path={"key_id": "any_key"}),
    "admin_end_key": Takes(path={"key_id": "any_key"}),
    "admin_rotate_key": Takes(path={"key_id": "any_key"}, body={"grace_seconds": "grace"}),
    "admin_clients": Takes(query={**_PAGE, "accountcode": "accountcode", "status": "text", "sort": "sort"}),
    "admin_client": Takes(path={"client_id": "client_id"}),
    "admin_client_create": Takes(body=_CLIENT),
    "admin_client_change": Takes(path={"client_id": "client_id"}, body=_CLIENT),
    "admin_holidays": Takes(query={**_PAGE, "accountcode": "any_account", "region": "text"}),
    "admin_holiday_add": Takes(body={"accountcode": "any_account", "region": "text", "day": "date", "name": "text"}),
    "admin_holiday_remove": Takes(path={"holiday_id": "new"}),
    "admin_users": Takes(query={**_PAGE, "accountcode": "accountcode", "username": "username", "sort": "sort"}),
    "admin_user": Takes(path={"user_id": "new"}),
    "admin_user_create": Takes(body=_USER),
    "admin_user_change": Takes(path={"user_id": "new"}, body=_USER),
    "admin_user_delete": Takes(path={"user_id": "new"}),
    "admin_servers": Takes(query={**_PAGE, "server_code": "server_code", "status": "text", "sort": "sort"}),
    "admin_server": Takes(path={"server_id": "new"}),
    "admin_server_create": Takes(body=_SERVER),
    "admin_server_change": Takes(path={"server_id": "new"}, body=_SERVER),
    "admin_server_delete": Takes(path={"server_id": "new"}),
    "admin_allocations": Takes(query={**_PAGE, "accountcode": "accountcode", "server_code": "server_code"}),
    "admin_allocation": Takes(path={"client_id": "client_id", "server_id": "new"}),
    "admin_allocation_create": Takes(body=_SHARE),
    "admin_allocation_change": Takes(path={"client_id": "client_id", "server_id": "new"}, body=_SHARE),
    "admin_allocation_delete": Takes(path={"client_id": "client_id", "server_id": "new"}),
    "call_summary": Takes(query={**_ACCOUNT, **_DATES, "server_code": "server_code"}),
    "calling_summary": Takes(query={**_ACCOUNT, **_DATES, "server_code": "server_code"}),
    "report": Takes(query={**_ACCOUNT, **_DATES, "group_by": "grouping"}),
}


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One line of routes.def, and what it takes."""

    method: str
    pattern: str
    pool: str
    who: str
    scope: str
    name: str

    @property
    def takes(self) -> Takes:
        return TAKES.get(self.name, Takes())

    @property
    def parameters(self) -> list[str]:
        """Those of the path."""
        return re.findall(r"{(\w+):", self.pattern)

    def path(self, values) -> str:
        """With these values, by name, in the place of parameters."""
        return re.sub(r"{(\w+):\w+}", lambda match: str(values[match[1]]), self.pattern)

    def __str__(self):
        return f"{self.method} {self.pattern}"


@functools.cache
def endpoints() -> list[Endpoint]:
    printed = subprocess.run([f"{PROGRAMS}/ccs-api", "--print-routes"], capture_output=True,
                             text=True, check=True).stdout
    return [Endpoint(route["method"], route["path"], route["pool"], route["who"], route["scope"],
                     route["name"])
            for route in json.loads(printed)]


def missing_entries() -> list[str]:
    """Endpoints without an entry here, entries without an endpoint, parameters of a path that are not in its entry."""
    names = {endpoint.name for endpoint in endpoints()}
    return ([f"{endpoint} has no entry" for endpoint in endpoints() if endpoint.name not in TAKES]
            + [f"{name} is no endpoint" for name in TAKES if name not in names]
            + [f"{endpoint}: {sorted(endpoint.takes.path)}" for endpoint in endpoints()
               if sorted(endpoint.parameters) != sorted(endpoint.takes.path)])
