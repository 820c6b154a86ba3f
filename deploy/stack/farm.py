"""Simulated Asterisk servers (tests/farm), in the place of the real ones of asterisk.py.

    farm.start(programs, base, 50, speed=10)    all listen, or StackError and nothing left running
    farm.load(base)                             the same Farm again, in another process
    farm.stop(base)

The number plan is the same (numbers.py). Its own book says what was dialled and what became of it.
"""
import collections
import functools
import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from . import numbers, ports
from .proc import Process, StackError

MOST_SERVERS = 1000
_PART = "farm"
_SECONDS = 15


@dataclass(frozen=True)
class Server:
    """One simulated Asterisk, as far as ccs needs to know it."""

    name: str
    host: str
    ami_port: int
    ami_user: str
    ami_secret: str
    technology: str
    endpoint: str
    context: str
    exten: str
    asterisk: str  # whose manners it has: 22 or 16
    recording_dir: str = "/var/spool/asterisk/recordings"  # where it would record


@dataclass(frozen=True)
class Originate:
    """One Originate that a server has read."""

    at: float
    server: str
    call_id: str  # its ChannelId
    action_id: str
    number: str
    verdict: str  # queued, no_channel, in_use, refused
    context: str
    extension: str


@dataclass(frozen=True)
class Ending:
    """What became of a call."""

    at: float
    server: str
    call_id: str
    number: str
    outcome: str  # of numbers.OUTCOMES
    end: str  # who ended it: far_end, timeout, hangup, limit, restart
    answered: bool
    cause: int
    ring_s: float
    talk_s: float

    @property
    def disposition(self) -> str | None:
        """What ccs must say; None when the call ended with its server, before it was answered."""
        if self.answered:
            return "completed"
        if self.end == "restart":
            return None
        if self.end in ("hangup", "timeout"):
            return "no_answer"
        return numbers.OUTCOMES[self.outcome].disposition


class Book:
    """What the farm has written down so far."""

    def __init__(self, path):
        self.originates: list[Originate] = []
        self.answered: set[str] = set()  # call ids
        self.endings: dict[str, Ending] = {}
        # server -> (time, login, cut, boot, stop or mood, and its text)
        self.incidents = collections.defaultdict(list)
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.endswith("\n"):  # the last one may be half written
                    self._read(*line.rstrip("\n").split("\t"))

    def _read(self, at, server, fact, *columns):
        if fact == "originate":
            self.originates.append(Originate(float(at), server, *columns))
        elif fact == "answered":
            self.answered.add(columns[0])
        elif fact == "ended":
            call_id, number, outcome, end, answered, cause, ring_ms, talk_ms = columns
            self.endings[call_id] = Ending(
                float(at), server, call_id, number, outcome, end, answered == "1", int(cause),
                int(ring_ms) / 1000, int(talk_ms) / 1000)
        else:
            self.incidents[server].append((float(at), fact, "\t".join(columns)))

    def times_dialled(self) -> collections.Counter:
        """call id -> how many Originates had it."""
        return collections.Counter(originate.call_id for originate in self.originates)

    def times_rung(self) -> collections.Counter:
        """number -> how often that telephone was rung."""
        return collections.Counter(originate.number for originate in self.originates
                                   if originate.verdict == "queued")

    def by_number(self) -> dict[str, str | None]:
        """number -> the disposition that its last call must have."""
        did = {originate.number: "failed" for originate in self.originates
               if originate.verdict != "queued"}
        return did | {ending.number: ending.disposition for ending in self.endings.values()}


@dataclass(frozen=True)
class Farm:
    """All servers of one folder, played by one process."""

    base: str
    program: str
    servers: list[Server]
    log: str
    options: list[str]  # of the command line

    @property
    def process(self) -> Process:
        return _process(self.base)

    def processes(self) -> dict[str, Process]:
        return {_PART: self.process}

    def tell(self, *words) -> str:
        """A command for the running farm (tests/farm/control.h); its answer without the ok."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(_SECONDS)
            sock.connect(str(_control(self.base)))
            sock.sendall((" ".join(map(str, words)) + "\n").encode())
            answer = b"".join(iter(functools.partial(sock.recv, 65536), b"")).decode()
        if not answer.endswith("ok\n"):
            raise StackError(f"the farm to {' '.join(map(str, words))}: {answer.strip()}")
        return answer.removesuffix("ok\n")

    def set_mood(self, mood, *servers):
        """These servers, or all, behave so from now on."""
        self.tell("mood", ",".join(servers) or "all", mood)

    def show(self) -> dict[str, dict]:
        """The state of every server, by name."""
        return {state["name"]: state for state in map(json.loads, self.tell("show").splitlines())}

    def book(self) -> Book:
        return Book(self.log)

    # As the demo wants to know it of real servers, too

    def did(self, called) -> dict[str, str | None]:
        """number -> the disposition that ccs must report for it."""
        known = self.book().by_number()
        return {number: known.get(numbers.national(number)) for number in called}

    def records_per_attempt(self) -> dict[str, int]:
        return dict(self.book().times_dialled())


def start(programs, base, count, *, log=None, speed=1, seed=1, asterisk="22", moods=(),
          all_events=False) -> Farm:
    """Starts count servers. moods are texts "MOOD" or "SERVER,..:MOOD" (tests/farm/mood.def)."""
    base = Path(base).resolve()
    program = Path(programs).resolve() / "tests/farm/ccs-farm"
    if not os.access(program, os.X_OK):
        raise StackError(f"{program} is not there: `make farm` builds it")
    if not 1 <= count <= MOST_SERVERS:
        raise StackError(f"{count} servers: a farm has 1 to {MOST_SERVERS}")
    base.mkdir(parents=True, exist_ok=True)
    log = Path(log or base / "book").resolve()
    log.unlink(missing_ok=True)  # an earlier farm's calls would be counted as this one's
    options = [f"--servers={count}", f"--speed={speed}", f"--seed={seed}", f"--asterisk={asterisk}",
               f"--log={log}", *(f"--mood={mood}" for mood in moods),
               *(["--all-events"] if all_events else [])]
    lease = ports.kept(base)
    try:
        options.append(f"--first-port={lease.block(count)[0]}")
        return _launch(base, program, options, secrets.token_urlsafe(24), lease)
    except BaseException:
        ports.release(base)
        raise


def load(base) -> Farm:
    """The farm that was started in this folder."""
    base = Path(base).resolve()
    try:
        described = json.loads(_description(base).read_text())
        stored = json.loads((base / "command.json").read_text())
    except (OSError, ValueError) as error:
        raise StackError(f"no farm was started in {base}: {error}") from None
    return Farm(str(base), stored["program"],
                [Server(**server) for server in described["servers"]], described["log"],
                stored["options"])


def stop(base) -> bool:
    """Stops it; False when it was not running. The book stays."""
    base = Path(base).resolve()
    ran = _process(base).stop()
    ports.release(base)
    return ran


def restart(farm, _=_PART, **__) -> Farm:
    """Starts it again, after its end: same ports, same secret, no calls."""
    lease = ports.kept(farm.base)
    lease.again(farm.servers[0].ami_port, len(farm.servers))
    return _launch(Path(farm.base), farm.program, farm.options, farm.servers[0].ami_secret, lease)


def _launch(base, program, options, secret, lease) -> Farm:
    description = _description(base)
    description.unlink(missing_ok=True)
    (base / "command.json").write_text(json.dumps({"program": str(program), "options": options}))
    process = _process(base)
    process.start([program, f"--json={description}", f"--control={_control(base)}", *options],
                  keep_fds=[lease.fd], env={**os.environ, "CCS_FARM_SECRET": secret})
    try:
        process.wait_ready(description.exists, seconds=_SECONDS)
    except BaseException:
        process.stop()
        raise
    return load(base)


def _process(base) -> Process:
    base = Path(base)
    return Process(_PART, marker=str(_description(base)), pid_file=base / "pid", log=base / "log")


def _description(base) -> Path:
    return Path(base) / "farm.json"


def _control(base) -> Path:
    return Path(base) / "control"
