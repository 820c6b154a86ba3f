"""What is done to the processes of a stack: kill -9, of PostgreSQL's backends too, and SIGSTOP for a while."""
import collections
import contextlib
import datetime
import heapq
import math
import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import psycopg2.extras

from stack.proc import wait_until

_RECOVERED = re.compile(r"^ts=(\S+)Z .* at=recover\.done", re.MULTILINE)
_BACKENDS = "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
# Of the dispatcher only: while one sleeps, what it was told to commit is not yet decided.
_DISPATCHERS_BACKENDS = _BACKENDS + " and application_name in ('ccs-commits', 'ccs-lookups')"


@dataclass(frozen=True)
class Victim:
    """A kind of process: how often it is chosen, and what has to be started again when it is killed."""

    name: str
    weight: int
    restarts: str | None = None


CHILD, WIRE = "dispatcher child", "TLS wire"
VICTIMS = (Victim(CHILD, 20), Victim("dispatcher holder", 8, "dispatcher"), Victim(WIRE, 12),
           Victim("API worker", 35), Victim("API master", 8, "api"), Victim("relay", 10, "relay"))
BACKEND = "PostgreSQL backend"


class Process:
    """One that may end at any time; a number used again is not it."""

    def __init__(self, pid):
        self.pid = pid
        self._born = _born(pid)

    def send(self, number) -> bool:
        """False when it is gone."""
        if self._born is None or _born(self.pid) != self._born:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False


def _born(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


class Striker:
    """Does it to one stack, by the throw of its dice."""

    def __init__(self, live, dice):
        self.live = live
        self.dice = dice
        self.kills = collections.Counter()  # by the victim's name
        self.stops = collections.Counter()
        self._deaf = []  # (from, until) of the dispatcher's processes; until None: until the next has recovered
        self._looks = Looks(live)
        self._sleeping = []  # heap of (when to wake it, pid, Process)

    def kill(self):
        """kill -9 of a process of ccs; what nobody else starts again is started at once."""
        victim = self.dice.choices(VICTIMS, [victim.weight for victim in VICTIMS])[0]
        found = self._pids(victim)
        if not found:
            return
        pid = self.dice.choice(found)
        if victim.restarts:
            self.live.stack.kill(victim.restarts)
            self.live.stack.start(victim.restarts)
        elif not Process(pid).send(signal.SIGKILL):
            return
        self.kills[victim.name] += 1
        if victim.name == CHILD:
            self._deaf.append((time.time() - 0.1, None))

    def kill_backend(self):
        """PostgreSQL then ends all its sessions and recovers."""
        found = self._backends(_BACKENDS)
        if found and Process(self.dice.choice(found)).send(signal.SIGKILL):
            self.kills[BACKEND] += 1

    def stop(self, longest_s):
        """SIGSTOP of a process of ccs, or of a backend that the dispatcher waits for."""
        victim = self.dice.choice((*VICTIMS, None))
        found = self._pids(victim) if victim else self._backends(_DISPATCHERS_BACKENDS)
        if not found:
            return
        process = Process(self.dice.choice(found))
        if process.send(signal.SIGSTOP):
            seconds = min(longest_s, 0.1 + self.dice.expovariate(4 / longest_s))
            heapq.heappush(self._sleeping, (time.monotonic() + seconds, process.pid, process))
            self.stops[victim.name if victim else BACKEND] += 1
            if victim and victim.name in (CHILD, WIRE):
                self._deaf.append((time.time() - 0.1, time.time() + seconds + 0.5))

    def wake(self, *, everybody=False):
        """SIGCONT to those whose time is up."""
        self.supervise()
        while self._sleeping and (everybody or self._sleeping[0][0] <= time.monotonic()):
            heapq.heappop(self._sleeping)[2].send(signal.SIGCONT)

    def supervise(self):
        """Starts what has ended by itself, as a service manager does: a dispatcher that comes while processes of the killed
        one still die finds its node taken."""
        for part in ("api", "dispatcher", "relay"):
            if not self.live.stack.processes()[part].pid():
                self.live.stack.start(part)

    def deaf(self) -> list:
        """When nobody could read what the servers said, as farmed.compare wants it."""
        log = (self.live.stack.log_dir / "ccs-dispatcher.log").read_text(errors="replace")
        recovered = sorted(datetime.datetime.fromisoformat(at + "+00:00").timestamp() for at in _RECOVERED.findall(log))
        found = []
        for since, until in sorted(self._deaf, key=lambda period: period[0]):
            until = until or next((at for at in recovered if at > since), math.inf)
            if found and since <= found[-1][1] + 1:
                found[-1] = found[-1][0], max(until, found[-1][1])
            else:
                found.append((since, until))
        return found

    def _pids(self, victim) -> list[int]:
        part = {"API worker": "api", "API master": "api", "relay": "relay"}.get(victim.name, "dispatcher")
        try:
            children = self.live.children(part)
        except AssertionError:
            return []
        if victim.restarts:
            return [self.live.stack.processes()[part].pid()]
        if part == "dispatcher":
            return [pid for pid in children if (_name(pid) == "ccs-tls-wire") == (victim.name == WIRE)]
        return children

    def _backends(self, query) -> list[int]:
        return [row[0] for row in self._looks.once(query)]  # none while it recovers from the last one


def _name(pid) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


class Looks:
    """Small questions over one connection, for one thread: each over its own would have PostgreSQL start a process."""

    def __init__(self, live):
        self._dsn = live.stack.superuser_dsn()
        self._connection = None

    def rows(self, query) -> list:
        """Once PostgreSQL answers."""
        return wait_until(lambda: self._ask(query), seconds=60, what="PostgreSQL answers")[0]

    def once(self, query) -> list:
        """No rows when it does not answer now."""
        return (self._ask(query) or [[]])[0]

    def _ask(self, query):
        """The rows in a list; None when PostgreSQL is away, or ends this connection, too, because of a backend that died."""
        try:
            if not self._connection:
                self._connection = psycopg2.connect(self._dsn)
                self._connection.autocommit = True
            with self._connection.cursor(cursor_factory=psycopg2.extras.DictCursor) as cursor:
                cursor.execute(query)
                return [cursor.fetchall()]
        except psycopg2.Error as error:
            if error.pgcode and not isinstance(error, psycopg2.OperationalError):
                raise  # PostgreSQL is there: the question is wrong
            self._connection = None
            return None
