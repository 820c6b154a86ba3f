"""What the benchmarks of dialling share: a stack on a farm, a client's batches, the processes' CPU, what ccs measures."""
import argparse
import json
import os
import random
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy"))

import psycopg2  # noqa: E402
from stack import numbers, proc  # noqa: E402
from stack.progress import Teller  # noqa: E402
from stack.stack import Plan, Stack  # noqa: E402

RATE = 100_000_000  # an hour: as good as none
_BATCH = 97 * 1024  # entries: whole chunks
_DIFFERENT = 10_000  # numbers with one ring and talk; they repeat after so many
_TICKS = os.sysconf("SC_CLK_TCK")


def argument_parser(doc):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", default="build/release")
    return parser


@contextmanager
def farmed(programs, *, servers, channels, speed, settings=None, **plan):
    """A stack with one client who may use all channels, and a connection to its database as superuser."""
    settings = {"segment": {"live_calls": max(4096, 2 * channels), "window_entries": 65536, "event_bytes": 1 << 26,
                            "servers": max(256, servers)}, **(settings or {})}
    with tempfile.TemporaryDirectory(prefix="ccs-bench-") as folder:
        stack = Stack.up(folder, Plan(programs=programs, servers=servers, channels=channels, rate_limit=RATE,
                                      farm={"speed": speed}, settings=settings, **plan), Teller(sys.stderr))
        try:
            with superuser(stack) as db:
                yield stack, db
        finally:
            stack.down()


@contextmanager
def superuser(stack):
    db = psycopg2.connect(stack.superuser_dsn())
    db.autocommit = True
    yield db
    db.close()


def insert(stack, count, *, first_batch, talks, seed=1):
    """Batches of so many answered calls in all, over HTTPS; not dispatched. talks: the seconds that they talk, each as often
    as the others, in no order. The next batch_id."""
    dice = random.Random(seed)
    each = _DIFFERENT // len(talks)
    phones = [phone for talk in talks for phone in numbers.numbers("answered", each, talk=talk)]
    dice.shuffle(phones)
    batch = first_batch
    for part in range(0, count, _BATCH):
        stack.api.insert(batch, [phones[i % len(phones)] for i in range(min(_BATCH, count - part))])
        batch += 1
    return batch


def finished(db) -> int:
    """Calls whose detail is stored."""
    return one(db, "select coalesce(sum(calls), 0)::bigint from rollup_hour")


def one(db, query, *args):
    return row(db, query, *args)[0]


def row(db, query, *args):
    with db.cursor() as cursor:
        cursor.execute(query, args)
        return cursor.fetchone()


def measured(stack) -> dict:
    """What `ccsctl shm show` says: counters and latencies."""
    return json.loads(stack.ccs.ctl("shm", "show", "--json"))


def percentile(before, after, name, part):
    """Microseconds of a latency between two looks: at most an eighth too high."""
    earlier = dict(before["latencies"][name]["steps"])
    steps = [(us, n - earlier.get(us, 0)) for us, n in after["latencies"][name]["steps"]]
    wanted, seen = sum(n for _, n in steps) * part, 0
    for us, n in steps:
        seen += n
        if n and seen >= wanted:
            return us
    return 0


def cpu_s(pid) -> float:
    """Seconds of CPU that a process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def family(pid):
    """A process and its descendants."""
    try:
        kids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(member for kid in kids for member in family(int(kid)))]


@dataclass
class Usage:
    """CPU seconds by part of the stack since start()."""

    before: dict

    @classmethod
    def start(cls, stack):
        return cls(cls._now(stack))

    @staticmethod
    def _now(stack):
        used = {}
        for name, process in stack.processes().items():
            for pid in family(process.pid()):
                used[name, pid] = cpu_s(pid)
        return used

    def since(self, stack) -> dict:
        spent = {}
        for (name, pid), seconds in self._now(stack).items():
            spent[name] = spent.get(name, 0) + seconds - self.before.get((name, pid), 0)
        return spent


def wait_until(condition, seconds, what):
    return proc.wait_until(condition, seconds=seconds, what=what)


def jain(values) -> float:
    """Jain's index of fairness: 1 = all alike."""
    return sum(values) ** 2 / (len(values) * sum(v * v for v in values))


def load_1m() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def now():
    return time.monotonic()
