"""The simulated Asterisks beside real ones, 22 and 16: every event of every outcome, header by header."""
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from asterisk_rig import Ami, attempt_id
from places import PROGRAMS
from stack import asterisk, farm, numbers

SUITES = {"22": "forky", "16": "bullseye"}

# What differs from call to call.
MOMENTARY = {"Timestamp", "SystemName", "StartTime", "AnswerTime", "EndTime", "Duration",
             "BillableSeconds"}

# Each of these is told in its own order. The Cdr and the OriginateResponse come by other ways.
TRACKS = (("Newchannel", "NewAccountCode", "NewCallerid", "NewConnectedLine", "Newstate",
           "HangupRequest", "SoftHangupRequest", "Hangup"),
          ("DialBegin", "DialState", "DialEnd"), ("OriginateResponse",), ("Cdr",))


@dataclass(frozen=True)
class Case:
    """One call. hang_up: we do, once its channel has this state (5 ringing, 6 up)."""

    name: str
    number: str
    hang_up: str = ""
    headers: dict = field(default_factory=dict)  # of the Originate, beside or instead of the usual

    def __str__(self):
        return self.name

    def dial(self, ami, server, attempt):
        ami.action("Originate", **{
            "ActionID": attempt, "ChannelId": attempt, "Priority": "1", "Async": "true",
            "Channel": f"PJSIP/{self.number}@{server.endpoint}", "Context": server.context,
            "Exten": server.exten, "Timeout": "1500", "CallerID": "911140000001",
            "Account": "DEMO", **self.headers})


def number(outcome, ring=0):
    return next(numbers.numbers(outcome, 1, ring=ring, talk=1))


CASES = [Case(f"{outcome} {ring} s", number(outcome, ring), "6" if outcome == "stays" else "")
         for outcome in numbers.OUTCOMES for ring in (0, 1)] + [
    Case("hung up while ringing", number("rings"), "5", {"Timeout": "60000"}),
    Case("longest call", number("stays"), "", {"Variable": "TIMEOUT(absolute)=1"}),
    Case("nameless", number("busy"), "", {"CallerID": "", "Account": ""}),
    Case("unknown number", "5550000"),
    Case("no such trunk", "1", "", {"Channel": "PJSIP/1@nowhere"}),
]


# The line is held at once: where a call is on the steps before that is a matter of moments, and of the dialplan's.
HELD = """[{context}]
exten => {exten},1,Wait(86400)
 same => n,Hangup(16)
"""


class Told:
    """The events of all cases, dialled side by side on one server."""

    def __init__(self, server):
        self.events = {attempt_id(entry): [] for entry in range(1, len(CASES) + 1)}
        self.cases = dict(zip(self.events, CASES))
        self._to_hang_up = {attempt for attempt, case in self.cases.items() if case.hang_up}
        with Ami(server) as ami:
            for attempt, case in self.cases.items():
                case.dial(ami, server, attempt)
            ami.collect(lambda events: self._sort(events) or self._is_over(ami), 20)

    def of(self, case) -> list:
        """In the order in which they came."""
        return self.events[next(a for a, known in self.cases.items() if known is case)]

    def _sort(self, events):
        for event in events:
            attempt = event.get("Uniqueid") or event.get("DestUniqueid") or event.get("UniqueID")
            if attempt in self.events:
                self.events[attempt].append(event)
        events.clear()

    def _is_over(self, ami):
        for attempt in set(self._to_hang_up):
            if any(event.get("ChannelState") == self.cases[attempt].hang_up
                   for event in self.events[attempt] if event["Event"] == "Newstate"):
                self._to_hang_up.remove(attempt)
                ami.action("Hangup", Channel=attempt, Cause="16")
        last = {"OriginateResponse", "Hangup", "Cdr"}
        return all({event["Event"] for event in self.events[attempt]} >= (
            last if case.name != "no such trunk" else {"OriginateResponse"})
            for attempt, case in self.cases.items())


def normal(event):
    """The event without what is of the moment."""
    headers = {name: value for name, value in event.items() if name not in MOMENTARY}
    for name in ("Channel", "DestChannel"):
        if name in headers:
            headers[name] = re.sub("-[0-9a-f]{8}$", "-NNNNNNNN", headers[name])
    # Events of the dial are made from a later look at the channel, or an earlier one.
    headers.pop("DestChannelState", None)
    headers.pop("DestChannelStateDesc", None)
    return list(headers.items())


def track_of(events, names):
    return [normal(event) for event in events if event["Event"] in names]


@pytest.fixture(scope="module", params=SUITES)
def told(request, tmp_path_factory):
    """By a real one and by the farm's, without the eventfilter."""
    version, base = request.param, tmp_path_factory.mktemp(f"likeness{request.param}")
    try:
        running = farm.start(PROGRAMS, base / "farm", 1, asterisk=version, all_events=True)
        rig = asterisk.start(provision(version), base / "real", 1)
        [server] = rig.servers
        conf = Path(server.folder) / "etc/manager.conf"
        conf.write_text(re.sub("eventfilter.*\n", "", conf.read_text()))
        (conf.parent / "answered.conf").write_text(HELD.format(context=server.context, exten=server.exten))
        for command in ("manager reload", "dialplan reload"):
            asterisk.cli(rig, server.name, command)
        with ThreadPoolExecutor() as pool:
            return list(pool.map(Told, (server, running.servers[0])))
    finally:
        asterisk.stop(base / "real")
        farm.stop(base / "farm")


def provision(version):
    """The tree that the other tests use where it has this version, else one of its own."""
    for suite in (None, SUITES[version]):
        tree = asterisk.provision(suite=suite)
        if re.search(f"^version=(1:)?{version}[.]", (tree / "layout").read_text(), re.MULTILINE):
            return tree
    raise AssertionError(f"{tree} holds another Asterisk than {version}")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_what_asterisk_says(told, case):
    real, simulated = (side.of(case) for side in told)
    assert {event["Event"] for event in real} <= {name for track in TRACKS for name in track}
    for names in TRACKS:
        expected, found = track_of(real, names), track_of(simulated, names)
        assert [event[0][1] for event in found] == [event[0][1] for event in expected]
        for event, like in zip(found, expected):
            assert event == like
