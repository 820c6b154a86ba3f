"""The dispatcher's AMI client, driven by ami_probe.c, on a real Asterisk."""
import os
import random
import signal
import socket
import subprocess
import threading

import pytest

from asterisk_rig import Ami, attempt_id
from places import PROGRAMS
from stack import asterisk, numbers

CALLER = "+911140000000"


class Probe:
    """A running ami_probe. Its lines are tuples of their fields; messages have their headers."""

    def __init__(self, server, *, secret=None, login="md5", host=None, holder=None, adopted=None):
        fds = [fd for fd in (holder, adopted) if fd is not None]
        self.server = server
        self.lines = []
        self._news = threading.Condition()
        self._child = subprocess.Popen(
            [PROGRAMS / "tests/system/ami_probe", host or server.host, str(server.ami_port),
             server.ami_user, login, server.context, server.exten, *map(str, fds)],
            env={**os.environ, "AMI_SECRET": secret or server.ami_secret}, pass_fds=fds,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        self._child.stdin.close()
        status = self._child.wait(10)
        self._reader.join(10)
        self._child.stdout.close()
        assert failed or status in (0, -signal.SIGKILL)  # a sanitizer's report is another

    def _read(self):
        for line in self._child.stdout:
            with self._news:
                self.lines.append(tuple(line.rstrip("\n").split("\t")))
                self._news.notify_all()

    def wait(self, condition, seconds=10):
        """Returns the first true value of condition(self)."""
        with self._news:
            value = self._news.wait_for(lambda: condition(self), seconds)
        assert value, f"waited in vain; the last lines are {self.lines[-20:]}"
        return value

    def wait_up(self, times=1, seconds=10):
        self.wait(lambda p: len(p.of("up")) >= times, seconds)
        return self

    def of(self, kind):
        """All lines of a kind, without it."""
        return [line[1:] for line in list(self.lines) if line[0] == kind]

    def messages(self, name, **headers):
        """All messages of an event's name ("" = responses) that have these headers."""
        return [m for m in self.all_messages() if m.get("Event", "") == name
                and all(m.get(key) == value for key, value in headers.items())]

    def command(self, *fields):
        """Sends a command; control bytes travel as %XX."""
        self._child.stdin.write("\t".join(
            "".join(f"%{ord(c):02x}" if c < " " or c in "%\x7f" else c for c in str(field))
            for field in fields) + "\n")

    def originate(self, call_id, number, *, ring_ms=5000, max_s=60, caller=CALLER):
        channel = number if "/" in number else \
            f"{self.server.technology}/{number}@{self.server.endpoint}"
        self.command("originate", call_id, channel, caller, ring_ms, max_s)

    def outcome(self, call_id):
        """What ccs makes of all that has been said about a call."""
        self.command("outcome", call_id)
        return self.wait(lambda p: [line for line in p.of("outcome") if line[0] == call_id])[-1][1:]

    def wait_over(self, call_id, seconds=15):
        self.wait(lambda p: p.messages("OriginateResponse", ActionID=call_id)
                  and p.messages("Hangup", Uniqueid=call_id), seconds)

    def all_messages(self):
        return [dict(field.split("=", 1) for field in line[2:]) for line in list(self.lines)
                if line[0] in ("event", "response")]

    def kill(self):
        self._child.send_signal(signal.SIGKILL)
        self._child.wait(10)
        self._reader.join(10)  # what it had written is read to the end


@pytest.fixture(scope="module")
def tree():
    return asterisk.provision()


@pytest.fixture(scope="module")
def rig(tree, tmp_path_factory):
    base = tmp_path_factory.mktemp("ami")
    yield asterisk.start(tree, base, 1)
    asterisk.stop(base)


@pytest.fixture
def server(rig):
    return rig.servers[0]


@pytest.fixture
def own_rig(tree, tmp_path):
    """A server of the test's own, with Local/ channels: for tests that kill it."""
    yield asterisk.start(tree, tmp_path, 1, profile="local", calls=50)
    asterisk.stop(tmp_path)


_next_entry = iter(range(1, 1 << 20))


def new_call():
    return attempt_id(next(_next_entry))


# -- login --------------------------------------------------------------------------------------

@pytest.mark.parametrize("login", ["md5", "plain"])
def test_logs_in(server, login):
    with Probe(server, login=login) as probe:
        probe.wait_up()
        assert probe.of("down") == [] and probe.of("live") == []


def test_finds_a_server_by_name(server):
    with Probe(server, host="localhost") as probe:
        probe.wait_up()


@pytest.mark.parametrize("login", ["md5", "plain"])
def test_wrong_secret_is_told(server, login):
    with Probe(server, login=login, secret="guessed") as probe:
        assert probe.wait(lambda p: p.of("down")) == [("Login refused: Authentication failed",)]


# -- calls --------------------------------------------------------------------------------------

@pytest.mark.parametrize("outcome", numbers.OUTCOMES)
def test_outcome_of_each_number(server, outcome):
    call_id = new_call()
    number = next(numbers.numbers(outcome, 1, ring=0, talk=1))
    with Probe(server) as probe:
        probe.wait_up().originate(call_id, number, ring_ms=1500)
        if outcome == "stays":
            probe.wait(lambda p: p.messages("Newstate", Uniqueid=call_id, ChannelState="6"))
            probe.command("hangup", call_id)
        probe.wait_over(call_id)
        disposition, reason = probe.outcome(call_id)
        assert disposition == numbers.OUTCOMES[outcome].disposition, reason


def test_no_channel_is_told_from_a_call(server):
    call_id = new_call()
    with Probe(server) as probe:
        probe.wait_up().originate(call_id, "PJSIP/1@nowhere")
        probe.wait(lambda p: p.messages("OriginateResponse", ActionID=call_id))
        assert probe.messages("Newchannel", Uniqueid=call_id) == []
        assert probe.outcome(call_id) == ("failed", "no channel: trunk or endpoint unavailable")


def test_call_ends_at_its_absolute_limit(server):
    call_id = new_call()
    with Probe(server) as probe:
        probe.wait_up().originate(call_id, next(numbers.numbers("stays", 1)), max_s=1)
        probe.wait_over(call_id, 5)
        assert probe.outcome(call_id)[0] == "completed"


def test_caller_and_variable_arrive(server):
    call_id = new_call()
    with Probe(server) as probe, Ami(server) as ami:
        probe.wait_up().originate(call_id, next(numbers.numbers("stays", 1)))
        probe.wait(lambda p: p.messages("Newstate", Uniqueid=call_id, ChannelState="6"))
        value = ami.action("Getvar", Channel=call_id, Variable="CCS_CALL_ID")
        assert value["Value"] == call_id
        [state] = [event for event in ami.events if event.get("Event") == "Newstate"
                   and event["Uniqueid"] == call_id and event["ChannelState"] == "6"]
        assert state["ConnectedLineNum"] == CALLER and state["AccountCode"] == "probe"
        probe.command("hangup", call_id)
        probe.wait_over(call_id)


@pytest.mark.parametrize("field", ["call_id", "number", "caller"])
@pytest.mark.parametrize("hostile", ["\nApplication: System\nData: touch /tmp/owned", "\r\n\r\n",
                                     "\x7f", " ", ",", "\"", "\nVariable: X=1"])
def test_no_value_can_start_a_header(server, field, hostile):
    values = {"call_id": new_call(), "number": "PJSIP/1@nowhere", "caller": CALLER}
    values[field] += hostile
    with Probe(server) as probe:
        probe.wait_up().originate(**values)
        assert probe.wait(lambda p: p.of("refused"))
        assert probe.messages("") == []  # nothing was sent, so nothing was answered


# -- loss and return ----------------------------------------------------------------------------

def test_killed_server_is_found_again_after_its_restart(own_rig):
    [server] = own_rig.servers
    with Probe(server) as probe:
        probe.wait_up()
        server.process.kill()
        probe.wait(lambda p: p.of("down"))
        asterisk.restart(own_rig, server.name)
        probe.wait_up(times=2)
        # The kernel resets what the killed server had not read.
        assert probe.of("down")[0] in (("closed by the server",),
                                       ("connection lost: Connection reset by peer",))
        assert all("Connection refused" in why for why, in probe.of("down")[1:])


def test_orderly_stop_is_told_as_such(own_rig):
    """Asterisk says so through a queue of its own, and on a busy machine is gone before it has been read."""
    [server] = own_rig.servers
    with Probe(server) as probe:
        probe.wait_up()
        server.process.stop()
        [why] = probe.wait(lambda p: p.of("down"))[0]
        assert why == ("Asterisk has shut down" if probe.messages("Shutdown") else "closed by the server")


def test_second_connection_learns_which_calls_live(server):
    up, ringing = new_call(), new_call()
    with Probe(server) as first:
        first.wait_up().originate(up, next(numbers.numbers("stays", 1)))
        first.originate(ringing, next(numbers.numbers("rings", 1)), ring_ms=30000)
        first.wait(lambda p: p.messages("Newstate", Uniqueid=up, ChannelState="6")
                   and p.messages("Newstate", Uniqueid=ringing, ChannelState="5"))
        with Probe(server) as second:
            second.wait_up()
            assert sorted(second.of("live")) == sorted([(up, "6"), (ringing, "5")])
        first.command("hangup", up)
        first.command("hangup", ringing)
        first.wait_over(up)
        first.wait_over(ringing)


# -- the successor of a killed dispatcher -------------------------------------------------------

class Holder:
    """Keeps the socket of a probe, so that another can go on with it."""

    def __init__(self):
        self._mine, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._mine.settimeout(10)
        self.kept = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._mine.close()
        self.theirs.close()
        if self.kept is not None:
            os.close(self.kept)

    def take(self):
        _, [self.kept], *_ = socket.recv_fds(self._mine, 1, 1)

    def start(self, server):
        return Probe(server, holder=self.theirs.fileno(), adopted=self.kept)


def test_successor_sees_what_happened_in_between(own_rig):
    [server] = own_rig.servers
    call_id = new_call()
    with Holder() as holder, Ami(server) as observer:
        with holder.start(server) as first:
            first.wait_up()
            holder.take()
            first.originate(call_id, next(numbers.numbers("answered", 1, talk=1)))
            first.wait(lambda p: p.messages("Newstate", Uniqueid=call_id, ChannelState="6"))
            first.kill()
        observer.collect(lambda events: any(
            e.get("Event") == "Hangup" and e["Uniqueid"] == call_id for e in events), 10)
        with holder.start(server) as second:
            second.wait(lambda p: p.of("probed"))
            assert second.messages("Hangup", Uniqueid=call_id)
            assert second.of("up") == [] and second.of("down") == []


def test_killed_again_and_again_nothing_is_lost(own_rig):
    """Each life dials 40 numbers and is killed some lines later, whatever it is doing then; the
    next one goes on with its socket. In the end each call that Asterisk took has been told whole."""
    [server] = own_rig.servers
    dice = random.Random(7)
    lives, told = 8, []

    def ids(name, header, messages):
        return [m[header] for m in messages if m.get("Event", "") == name and header in m]

    def is_complete(probe, last):
        messages = told + probe.all_messages()
        accepted = set(ids("", "ActionID", messages))
        return (last <= accepted
                and accepted <= set(ids("OriginateResponse", "ActionID", messages))
                and accepted <= set(ids("Hangup", "Uniqueid", messages)))

    with Holder() as holder, Ami(server) as observer:
        for life in range(lives):
            with holder.start(server) as probe:
                if life == 0:
                    probe.wait_up()
                    holder.take()
                else:
                    probe.wait(lambda p: p.of("probed"))
                calls = {new_call() for _ in range(40)}
                for call, number in zip(calls, numbers.numbers("busy", 40, seed=life)):
                    probe.originate(call, number)
                if life < lives - 1:
                    last_line = len(probe.lines) + dice.randrange(1, 300)
                    probe.wait(lambda p: len(p.lines) >= last_line)
                    probe.kill()
                else:
                    probe.wait(lambda p, last=calls: is_complete(p, last))
                told += probe.all_messages()
                assert probe.of("down") == []
        observer.action("Ping")
        answered = [m for m in told if "Event" not in m and m["ActionID"].startswith("ccs-")]
        assert {m["Response"] for m in answered} == {"Success"}
        dialled = ids("Newchannel", "Uniqueid", observer.events)
        ours = [call_id for call_id in dialled if call_id.startswith("ccs-")
                and ";" not in call_id]
        assert sorted(ours) == sorted({m["ActionID"] for m in answered})
        assert len(ours) > lives * 20
