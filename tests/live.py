"""A running stack as the tests see it: clients that insert and dial, parts that can be killed, and
PostgreSQL, which has the last word on what happened."""
import collections
import contextlib
import dataclasses
import itertools
import json
import os
import re
import signal
from pathlib import Path

import psycopg2
import psycopg2.extras
from described import DescribedApi
from stack import cdr, numbers
from stack.proc import wait_until

# What a process says when it ends of its own fault: assert(), signals but SIGKILL, sanitizers.
_DISASTER = re.compile(r"Assertion .* failed|(?:signal|code)=(?:4|6|7|8|11)\b|Sanitizer|runtime error:"
                       r"|stack smashing|at=\S*died.*status=70\b")

_REPORT = """
select e.entry_id, e.phone_number, d.disposition::text, d.reason, d.estimated,
       (select count(*) from attempt a where a.entry_id = e.entry_id) as attempts,
       (select count(*) from call_detail f where f.entry_id = e.entry_id and f.is_final) as finals
  from queue_master m
  join entry e on e.queue_master_id = m.id
  left join call_detail d on d.entry_id = e.entry_id and d.is_final
 where m.client_id = %s and m.batch_id = %s
 order by e.entry_id
"""


@dataclasses.dataclass(frozen=True)
class Report:
    """What PostgreSQL says about one batch."""

    rows: list

    @property
    def total(self):
        return len(self.rows)

    @property
    def open(self):
        return sum(1 for row in self.rows if row["disposition"] is None)

    @property
    def dispositions(self) -> dict:
        return dict(collections.Counter(row["disposition"] for row in self.rows
                                        if row["disposition"]))

    @property
    def unknown(self):
        return self.dispositions.get("unknown", 0)

    @property
    def attempts(self):
        return sum(row["attempts"] for row in self.rows)

    def attempt_ids(self) -> set:
        """The ChannelId of every attempt, as Asterisk knows it."""
        return {f"ccs-{row['entry_id']:014x}{n:02x}"
                for row in self.rows for n in range(1, row["attempts"] + 1)}

    def not_as_dialled(self) -> list:
        """Entries whose disposition is not what the far end did; `unknown` claims nothing."""
        return [(row["phone_number"], row["disposition"], row["reason"]) for row in self.rows
                if row["disposition"] not in ("unknown",
                                              numbers.disposition_of(row["phone_number"]))]


class Client:
    """One tenant of the stack."""

    _batch_ids = itertools.count(1_000_001)  # nowhere near a queue master's id, which may stand in the same place

    def __init__(self, live, tenant):
        self._live = live
        self.name = tenant["name"]
        self.accountcode = tenant["accountcode"]
        self.client_id = tenant["client_id"]
        self.key = tenant["api_key"]
        self.username = tenant["username"]
        self.password = tenant["password"]
        self.api = DescribedApi(live.base_url, self.key, ca_file=live.ca_file)

    def insert(self, numbers, **entry) -> int:
        """Queues a batch under a new id, which is returned."""
        batch_id = next(self._batch_ids)
        inserted = self.api.insert(batch_id, numbers, **entry)
        assert inserted["inserted_count"] == len(numbers), inserted
        return batch_id

    def dispatch(self) -> dict:
        return self.api.dispatch()

    def call(self, number, **entry) -> str:
        """A quick call; its call_id."""
        return self.api.post("/queues/quickcall/", {"phone_number": number, **entry}).ok["call_id"]

    def live_calls(self) -> int:
        return self.api.get("/monitoring/activecalls").ok["active_calls"]

    def attempts(self) -> int:
        """How many calls of this client were ever begun."""
        return self._live.sql("select count(*) from attempt where client_id = %s",
                              self.client_id)[0][0]

    def set_limits(self, *, channels=None, rate_limit=None):
        """Changes the client and its share of the one server alike, while it is calling."""
        self._live.sql("""
            update client set allocated_channels = coalesce(%(channels)s, allocated_channels),
                              rate_limit = coalesce(%(rate_limit)s, rate_limit)
             where id = %(client)s;
            update allocation set allowed_active_calls = coalesce(%(channels)s, allowed_active_calls),
                                  rate_limit = coalesce(%(rate_limit)s, rate_limit)
             where client_id = %(client)s""",
                       channels=channels, rate_limit=rate_limit, client=self.client_id)
        self._live.reload(self.client_id)

    def set_window(self, opens, closes):
        """The calling window; of the two moments only the time of day counts."""
        self._live.sql("""update client set active_time_start = %(opens)s, active_time_end = %(closes)s
                           where id = %(client)s""",
                       opens=opens.time(), closes=closes.time(), client=self.client_id)
        self._live.reload(self.client_id)

    def set_active(self, active):
        self._live.sql("update client set is_active = %s where id = %s", active, self.client_id)
        self._live.reload(self.client_id)

    def report(self, batch_id) -> Report:
        return Report(self._live.sql(_REPORT, self.client_id, batch_id))

    def wait_finished(self, batch_id, *, seconds=120) -> Report:
        """Waits until every entry of the batch has its outcome."""
        self._live.wait_until(lambda: self._open(batch_id) == 0, seconds=seconds,
                              why=f"batch {batch_id} of {self.accountcode} is finished")
        return self.report(batch_id)

    def _open(self, batch_id):
        return self.report(batch_id).open

    def outcome(self, call_id, *, seconds=60):
        """Waits for the end of one call; its detail."""
        entry_id = int(call_id.removeprefix("ccs-")[:14], 16)

        def detail():
            return self._live.sql("select * from call_detail where entry_id = %s and is_final",
                                  entry_id)

        return self._live.wait_until(detail, seconds=seconds, why=f"{call_id} has ended")[0]


class Live:
    """The stack under test. Everything a Client can do, the demo's own client can do here."""

    def __init__(self, stack):
        self.stack = stack
        self.base_url = stack.base_url
        self.ca_file = stack.folder / "tls/ca.pem"
        self.certificate = stack.folder / "tls/server.pem"
        self.client = Client(self, stack.tenant)
        self._taken = collections.Counter()
        self._read_so_far = collections.Counter()

    def __getattr__(self, name):
        return getattr(self.client, name)

    def new_client(self, accountcode, *, channels=None, rate_limit=None, **fields) -> Client:
        """Registers another client, with its share of every server. A taken name gets a number."""
        self._taken[accountcode] += 1
        if self._taken[accountcode] > 1:
            accountcode = f"{accountcode}-{self._taken[accountcode]}"
        tenant = self.stack.add_client(accountcode, channels=channels, rate_limit=rate_limit,
                                       **fields)
        self.stack.allocate(accountcode, channels=channels, rate_limit=rate_limit)
        return Client(self, tenant)

    def sql(self, query, *values, **named) -> list:
        """Rows of a statement by PostgreSQL's superuser; committed. They go by name and position."""
        connection = psycopg2.connect(self.stack.superuser_dsn())
        try:
            with connection, connection.cursor(
                    cursor_factory=psycopg2.extras.DictCursor) as cursor:
                cursor.execute(query, named or values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def reload(self, client_id=None):
        """Has the dispatcher read a client, or everything, again that was changed with sql(); waits for it if it runs."""
        row = self.sql("""with told as (insert into control (client_id, kind) values (%s, 'reload') returning id)
                          select id, pg_notify('ccs', '') from told""", client_id)[0]["id"]
        if self.stack.processes()["dispatcher"].pid():
            self.wait_until(lambda: self.sql("select true from control where id = %s and done_at is not null", row),
                            "the dispatcher has read what was changed")

    @contextlib.contextmanager
    def api_configured(self, **options):
        """The API with other values of these options, for the duration of a with block."""
        conf = self.stack.ccs.conf
        text = conf.read_text()
        values = "".join(f"{name} = {value}\n" for name, value in options.items())
        self._roll_api(f"{text}\n[api]\n{values}")
        try:
            yield
        finally:
            self._roll_api(text)

    def _roll_api(self, configuration):
        self.stack.ccs.conf.write_text(configuration)
        before = set(self.children("api"))
        self.stack.processes()["api"].send(signal.SIGHUP)
        self.wait_until(lambda: (now := self.children("api")) and len(now) == len(before)
                        and not before & set(now), "all workers have the new configuration")

    @contextlib.contextmanager
    def server_limited(self, server_code, **limits):
        """The server with other values in these columns, for the duration of a with block."""
        names = ", ".join(limits)
        before = self.sql(f"select {names} from server where server_code = %s", server_code)[0]
        self._set_server(server_code, limits)
        try:
            yield
        finally:
            self._set_server(server_code, dict(before))

    def _set_server(self, server_code, values):
        assignments = ", ".join(f"{name} = %({name})s" for name in values)
        self.sql(f"update server set {assignments} where server_code = %(code)s",
                 **values, code=server_code)
        self.reload()

    def wait_until(self, condition, why, *, seconds=30):
        """Polls until condition() is true and returns its value; fails after that many seconds."""
        return wait_until(condition, seconds=seconds, what=why)

    def children(self, part) -> list[int]:
        """The processes that a part's own process has started and that still run."""
        parent = self.stack.processes()[part].pid()
        assert parent, f"{part} does not run"
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                after_name = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            if after_name[0] != "Z" and int(after_name[1]) == parent:
                found.append(int(stat.parent.name))
        return sorted(found)

    def workers(self, pool) -> list[int]:
        """The API's processes of this pool."""

        def name(pid):
            try:
                return Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                return ""  # it has ended meanwhile

        return [pid for pid in self.children("api") if name(pid) == f"ccs-api:{pool}"]

    def kill(self, part):
        """kill -9. "dispatcher" is the process that works; "dispatcher-holder" all of it."""
        if part == "dispatcher":
            self._kill_child("dispatcher")
        elif part == "api-worker":
            self._kill_child("api")
        else:
            assert self.stack.kill(part.removesuffix("-holder")), f"{part} did not run"

    def _kill_child(self, part):
        victim = self.children(part)[0]
        os.kill(victim, signal.SIGKILL)
        self.wait_until(lambda: victim not in self.children(part), f"{part} {victim} is dead")

    def stop(self, part):
        assert self.stack.stop(part), f"{part} did not run"

    def start(self, part):
        self.stack.start(part.removesuffix("-holder"))
        if part == "relay":  # nobody's health tells of it
            self.stack.ccs.wait_relay()

    def revive(self) -> list[str]:
        """Starts what a test has left down, so that the next one does not pay for it; the names of these parts."""
        down = [part for part, process in self.stack.processes().items() if not process.pid()]
        for part in down:
            self.start(part)
        return down

    def wait_ready(self):
        self.stack.wait_ready()

    def ctl_json(self, *words):
        """What ccsctl answers to a program."""
        return json.loads(self.stack.ccs.ctl(*words, "--json"))

    def log_since(self, program, position) -> str:
        """What a program's log has behind this byte."""
        with open(self.stack.log_dir / f"{program}.log", errors="replace") as log:
            log.seek(position)
            return log.read()

    def check_segment(self):
        """The invariants of the shared memory, as `ccsctl shm check` sees them."""
        self.stack.ccs.ctl("shm", "check")

    def check_logs(self):
        """No process of ccs has failed an assertion, died of itself or met a sanitizer since the
        last look. A respawned one would hide it from every other test."""
        found = []
        for log in self.stack.log_dir.glob("ccs-*.log"):
            with open(log, errors="replace") as lines:
                lines.seek(self._read_so_far[log])
                found += filter(_DISASTER.search, lines.read().splitlines())
                self._read_so_far[log] = lines.tell()
        assert not found, "\n".join(found)


class FarEnd:
    """The called parties: numbers with a known outcome, and the records Asterisk kept."""

    def __init__(self, live):
        self._live = live
        self._shuffles = itertools.count(1)
        self._given = collections.Counter()

    def mixed(self, count, **how) -> list[str]:
        """Numbers of all outcomes, none of which any other test dials."""
        return numbers.mixed(count, next(self._shuffles), taken_from=self._take, **how)

    def numbers(self, outcome, count=1, **how) -> list[str]:
        """Those of one outcome."""
        return self._take(outcome, count, **how)

    def _take(self, outcome, count, _seed=0, *, ring=0, talk=3):
        """From the second thousand on: the first is for numbers that stand in tests."""
        sort = outcome, ring, talk if numbers.OUTCOMES[outcome].timed else None
        first = self._given[sort]
        self._given[sort] += count
        assert first + count <= 9000, "numbers of that sort have run out"
        return list(numbers.numbers(outcome, count, 1, first=first, ring=ring, talk=talk))

    def cdr_per_attempt(self, report) -> dict:
        """attempt id -> how many call records Asterisk wrote for it, attempts of this batch only."""
        records = cdr.by_attempt(self._live.stack.rig())
        return {attempt: len(records[attempt]) for attempt in report.attempt_ids()
                if attempt in records}

    def times_rung(self, numbers) -> dict:
        """number -> how often that telephone was rung."""
        rung = collections.Counter(record.number for record in cdr.far_calls(self._live.stack.rig()))
        return {number: rung[number] for number in numbers}
