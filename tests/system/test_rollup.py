"""Rollups by local date and hour, as the statement keeps them that the dispatcher runs."""
import collections
import itertools
import random
import re
from datetime import datetime, timedelta, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from pg_cluster import statement

OUTCOMES = ("completed", "busy", "no_answer", "rejected", "invalid", "congestion", "failed", "canceled", "expired",
            "suppressed", "unknown")
KOLKATA, KATHMANDU = "Asia/Kolkata", "Asia/Kathmandu"
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"

_serial = itertools.count()


@pytest.fixture(scope="module")
def db(server):
    """A migrated database."""
    return server.database()


class Ended(NamedTuple):
    """What the dispatcher says of one attempt, in the order of detail_finish."""

    entry_id: int
    n: int
    client_id: int
    queue_master_id: int | None
    server_id: int | None
    did: str
    disposition: str
    hangup_cause: int
    reason: str
    attempts_left: int | None
    estimated: bool
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    duration_ms: int
    billsec_ms: int
    number: str | None = None
    answered_by: str | None = None
    result: str | None = None
    opted_out: bool = False
    recording: str | None = None
    pseudonym: str | None = None


class Caller:
    """A client in a time zone whose calls end as a test wants."""

    def __init__(self, db, zone):
        tag = next(_serial)
        self.db, self.zone = db, ZoneInfo(zone)
        self.client_id = db.add_client(f"CALLER{tag}", timezone=zone)
        self.server_id = db.add_server(f"caller-{tag}")
        with db.committing() as cursor:
            cursor.execute("insert into queue_master (client_id, batch_id, content, inserted_count)"
                           " values (%s, 1, '', 0) returning id", [self.client_id])
            self.batch, = cursor.fetchone()

    def call(self, started_at, *, n=1, seconds=10, disposition="completed", entry_id=None,
             is_final=True) -> Ended:
        """One attempt, of a new entry unless one is named."""
        if isinstance(started_at, str):
            started_at = datetime.fromisoformat(started_at).replace(tzinfo=timezone.utc)
        answered = disposition == "completed"
        return Ended(entry_id or self.new_entry(), n, self.client_id, self.batch,
                     self.server_id if n else None, "1", disposition, 16, "test", None if is_final else 1, False,
                     started_at, started_at if answered else None,
                     started_at + timedelta(seconds=seconds), seconds * 1000,
                     seconds * 1000 if answered else 0)

    def new_entry(self) -> int:
        return self.db.value("select nextval('chunk_id_seq')") * 1024

    def finish(self, *calls) -> int:
        """Writes details and rollups as the dispatcher does; how many details were new."""
        finish = statement("detail_finish")
        holes = ", ".join(["%s"] * finish.parameters)
        casts = re.findall(r"(\$\d+::\w+(?:\[\])?)", finish.text)
        types = {int(number): kind for number, kind in (cast[1:].split("::") for cast in casts)}
        with self.db.committing("ccs_dispatcher") as cursor:
            kinds = ", ".join(types[n] for n in range(1, finish.parameters + 1))
            cursor.execute(f"prepare finish ({kinds}) as {finish.text}")
            cursor.execute(f"execute finish ({holes})", [*map(list, zip(*calls)), "node"])
            return cursor.fetchone()[0]

    def hours(self) -> dict:
        """(local date, hour) -> calls, completed, seconds, billed seconds"""
        with self.db.as_role("ccs_api", self.client_id) as cursor:
            cursor.execute("select local_date::text, local_hour, calls, completed,"
                           " duration_ms / 1000, billsec_ms / 1000 from rollup_hour")
            return {row[:2]: row[2:] for row in cursor.fetchall()}

    def ends(self) -> dict:
        """disposition -> attempts, over all hours"""
        with self.db.as_role("ccs_api", self.client_id) as cursor:
            cursor.execute(f"select {', '.join(f'sum({name})' for name in OUTCOMES)} from rollup_hour")
            return {name: int(count) for name, count in zip(OUTCOMES, cursor.fetchone()) if count}

    def outcomes(self) -> dict:
        """disposition -> entries of the batch"""
        with self.db.as_role("ccs_api", self.client_id) as cursor:
            cursor.execute("select disposition::text, entries from rollup_batch")
            return dict(cursor.fetchall())


@pytest.mark.parametrize("zone, starts, expected", [
    (KOLKATA, ["2026-11-21 18:29:59", "2026-11-21 18:30:00"],
     {("2026-11-21", 23): 1, ("2026-11-22", 0): 1}),
    (KOLKATA, ["2026-11-22 03:29:59", "2026-11-22 03:30:00", "2026-11-22 04:29:59"],
     {("2026-11-22", 8): 1, ("2026-11-22", 9): 2}),
    (KATHMANDU, ["2026-11-21 18:14:59", "2026-11-21 18:15:00"],
     {("2026-11-21", 23): 1, ("2026-11-22", 0): 1}),
    (KATHMANDU, ["2026-11-22 03:14:59", "2026-11-22 03:15:00"],
     {("2026-11-22", 8): 1, ("2026-11-22", 9): 1}),
    # there is no hour 2 in spring, and two of them in autumn
    (BERLIN, ["2026-03-29 00:59:59", "2026-03-29 01:00:00"],
     {("2026-03-29", 1): 1, ("2026-03-29", 3): 1}),
    (BERLIN, ["2026-10-25 00:30:00", "2026-10-25 01:30:00", "2026-10-25 02:00:00"],
     {("2026-10-25", 2): 2, ("2026-10-25", 3): 1}),
    (NEW_YORK, ["2026-03-08 06:59:59", "2026-03-08 07:00:00", "2026-03-09 03:59:59"],
     {("2026-03-08", 1): 1, ("2026-03-08", 3): 1, ("2026-03-08", 23): 1}),
    (NEW_YORK, ["2026-11-01 05:00:00", "2026-11-01 06:59:59", "2026-11-01 07:00:00"],
     {("2026-11-01", 1): 2, ("2026-11-01", 2): 1}),
])
def test_rollup_by_local_hour_of_the_start(db, zone, starts, expected):
    caller = Caller(db, zone)
    assert caller.finish(*[caller.call(start) for start in starts]) == len(starts)
    assert {hour: calls for hour, (calls, *_) in caller.hours().items()} == expected


def test_rollup_sums_what_a_year_of_calls_says(db):
    """300 calls in Berlin, written in turns of uneven size, against Python's own calendar."""
    caller = Caller(db, BERLIN)
    lots = random.Random(7)
    calls = [caller.call(datetime(2026, 1, 1, tzinfo=timezone.utc)
                         + timedelta(minutes=lots.randrange(365 * 24 * 60)),
                         seconds=lots.randrange(300),
                         disposition=lots.choice(OUTCOMES))
             for _ in range(300)]
    expected = collections.Counter()
    for call in calls:
        local = call.started_at.astimezone(caller.zone)
        hour = (local.date().isoformat(), local.hour)
        for index, value in enumerate((1, call.disposition == "completed",
                                       call.duration_ms // 1000, call.billsec_ms // 1000)):
            expected[hour, index] += value
    left = list(calls)
    while left:
        size = lots.randrange(1, 60)
        turn, left = left[:size], left[size:]
        assert caller.finish(*turn) == len(turn)
    assert {(hour, index): value for hour, values in caller.hours().items()
            for index, value in enumerate(values)} == dict(expected)
    assert caller.outcomes() == caller.ends() == collections.Counter(call.disposition for call in calls)


def test_details_written_again_count_once(db):
    caller = Caller(db, KOLKATA)
    calls = [caller.call("2026-11-22 05:00:00"), caller.call("2026-11-22 05:00:01")]
    assert caller.finish(*calls) == 2
    late = caller.call("2026-11-22 05:00:02", disposition="busy")
    assert caller.finish(*calls, late) == 1
    assert caller.hours() == {("2026-11-22", 10): (3, 2, 30, 20)}
    assert caller.outcomes() == {"completed": 2, "busy": 1}


def test_hours_count_attempts_and_batches_count_entries(db):
    caller = Caller(db, KOLKATA)
    first = caller.call("2026-11-22 05:00:00", disposition="busy", is_final=False)
    assert caller.finish(first) == 1
    assert caller.outcomes() == {}
    second = caller.call("2026-11-22 06:00:00", entry_id=first.entry_id, n=2)
    undialled = caller.call("2026-11-22 06:00:00", n=0, disposition="expired")
    assert caller.finish(second, undialled) == 2
    assert caller.hours() == {("2026-11-22", 10): (1, 0, 10, 0), ("2026-11-22", 11): (1, 1, 10, 10)}
    assert caller.outcomes() == {"completed": 1, "expired": 1}


def test_an_entry_has_one_final_detail(db):
    caller = Caller(db, KOLKATA)
    first = caller.call("2026-11-22 05:00:00")
    assert caller.finish(first) == 1
    assert caller.finish(caller.call("2026-11-22 06:00:00", entry_id=first.entry_id, n=2)) == 0
    assert caller.hours() == {("2026-11-22", 10): (1, 1, 10, 10)}
