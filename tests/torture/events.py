#!/usr/bin/python3
"""Kills relay and dispatcher under load, then asks consumers with resume_from for their logs: each event once, in order, by
WebSocket or, where that declares a loss, by GET /events; and no loss that was not declared.

    CCS_PROGRAMS=build/release tests/torture/events.py [--kills 100] [--calls 1000] [--seed N]

--kills of the relay, as many of the dispatcher's child and a tenth as many of the whole dispatcher; --calls are in progress
meanwhile. One consumer wants everything, one two types, one a single batch. Exit status 1 when a log is wrong; the folder
with all logs is kept then.
"""
import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "deploy"), str(TESTS)]

from consumer import Consumer, check  # noqa: E402  (found by the line above, as all that follow)
from live import Live  # noqa: E402
from places import PROGRAMS  # noqa: E402
from stack import numbers  # noqa: E402
from stack.proc import wait_until  # noqa: E402
from stack.progress import Silent  # noqa: E402
from stack.stack import Plan, Stack  # noqa: E402

BATCH = 200


def options():
    known = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    known.add_argument("--kills", type=int, default=100)
    known.add_argument("--calls", type=int, default=1000, help="in progress at once")
    known.add_argument("--servers", type=int, default=8)
    known.add_argument("--pause", type=float, default=1.0, metavar="S", help="between two kills, on average")
    return known.parse_args()


class Load(threading.Thread):
    """Batches, so that there is always something to dial."""

    def __init__(self, live, client, calls, seed):
        super().__init__(daemon=True)
        self._live, self._client, self._calls, self._seed = live, client, calls, seed
        self._over = threading.Event()
        self.batches = []

    def open(self) -> int:
        return self._live.sql("select count(*) from entry e where client_id = %s and not exists (select from call_detail d"
                              " where d.entry_id = e.entry_id and d.is_final)", self._client.client_id)[0][0]

    def run(self):
        while not self._over.is_set():
            if self.open() < 2 * self._calls:
                wanted = numbers.mixed(BATCH, self._seed + len(self.batches), ring=1, talk=2)
                self.batches.append(self._client.insert(wanted))
                self._client.dispatch()
            self._over.wait(0.1)

    def end(self):
        self._over.set()
        self.join(60)


def strike(live, part):
    """The dispatcher's child may be between two lives."""
    wait_until(lambda: part != "dispatcher" or live.children(part), seconds=60, what=f"there is a {part} to kill")
    live.kill(part)
    if part != "dispatcher":
        live.start(part.removesuffix("-holder"))


def torture(asked, live):
    dice = random.Random(asked.seed)
    client = live.new_client("EVENTS", channels=asked.calls, rate_limit=10_000_000)
    first = client.insert(numbers.mixed(BATCH, asked.seed + 7, ring=1, talk=2))
    consumers = {Consumer(live, client): "true",
                 Consumer(live, client, "call_answered", "call_failed"): "true",
                 Consumer(live, client, batch_id=first): f"payload::jsonb->>'batch_id' = '{first}'"}
    for consumer in consumers:
        consumer.start()
    client.dispatch()
    load = Load(live, client, asked.calls, asked.seed)
    load.start()
    wait_until(lambda: client.live_calls() > asked.calls / 4, seconds=120, what="calls flow")
    victims = ["relay", "dispatcher"] * asked.kills + ["dispatcher-holder"] * (asked.kills // 10)
    dice.shuffle(victims)
    for part in victims:
        strike(live, part)
        time.sleep(dice.expovariate(1 / asked.pause))
    load.end()
    live.wait_ready()
    wait_until(lambda: load.open() == 0, seconds=300, what="every call has ended")
    last = live.sql("select seq from client_seq where client_id = %s", client.client_id)[0][0]
    for consumer, where in consumers.items():
        log = consumer.finish(last if where == "true" and len(consumer._types) == 4 else _last_of(live, consumer, where))
        check(live, consumer, log, where)
        print(f"{len(log.seqs)} events of {last}, each once: {log.connections} connections, {log.declared} losses declared, "
              f"{log.filled} events by GET /events", flush=True)
    print(f"{len(victims)} kills, {len(load.batches) + 1} batches of {BATCH}")


def _last_of(live, consumer, where) -> int:
    return live.sql(f"select coalesce(max(seq), 0) from event where client_id = %s and type = any(%s) and {where}",
                    consumer._client.client_id, list(consumer._types))[0][0]


def main():
    asked = options()
    folder = tempfile.mkdtemp(prefix="ccs-events-")
    print(f"seed {asked.seed}, {folder}", flush=True)
    plan = Plan(programs=str(PROGRAMS), servers=asked.servers, channels=asked.calls, rate_limit=10_000_000, ring_seconds=5,
                farm={"speed": 2, "seed": asked.seed}, settings={"dispatcher": {"reconnect_max_ms": 1000},
                                                                 "relay": {"mark_seconds": 1}})
    live = Live(Stack.up(folder, plan, Silent()))
    try:
        torture(asked, live)
        live.check_segment()
        live.check_logs()
    finally:
        live.stack.down()
    shutil.rmtree(folder)


main()
