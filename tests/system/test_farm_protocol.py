"""The simulated Asterisks by themselves: what an AMI client meets, what numbers and moods do."""
import collections
import contextlib
import hashlib
import re
import socket
import time

import pytest

from asterisk_rig import Ami, attempt_id, originate
from places import PROGRAMS
from stack import farm, numbers
from stack.proc import StackError, wait_until

NEVER_S = 0.3  # what has not come by then does not come: messages take microseconds


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Two servers, twenty times faster than life: farm1 is a 22, farm2 a 16."""
    base = tmp_path_factory.mktemp("farm")
    yield farm.start(PROGRAMS, base, 2, speed=20, asterisk="both")
    farm.stop(base)


@pytest.fixture
def server(quick):
    yield quick.servers[0]
    quick.set_mood("normal")


@pytest.fixture
def ami(server):
    with Ami(server) as connection:
        assert connection.login["Message"] == "Authentication accepted"
        yield connection


@contextlib.contextmanager
def raw(server):
    """A connection without any manners; returns the socket once the banner is there."""
    with socket.create_connection((server.host, server.ami_port), timeout=10) as sock:
        assert sock.recv(100) == b"Asterisk Call Manager/11.0.0\r\n"
        yield sock


def answer(sock) -> str:
    """One message."""
    said = b""
    while not said.endswith(b"\r\n\r\n"):
        piece = sock.recv(1)
        assert piece, f"closed after {said}"
        said += piece
    return said.decode()


def names(events, attempt):
    return [event["Event"] for event in events
            if attempt in (event.get("Uniqueid"), event.get("DestUniqueid"), event.get("UniqueID"))]


def wait_ended(ami, *attempts, seconds=10):
    ami.collect(lambda events: all({"OriginateResponse", "Hangup", "Cdr"} <= set(names(events, a))
                                   for a in attempts), seconds)


_entries = iter(range(1, 1 << 20))


def dial(ami, server, outcome, ring=0, talk=1, **headers):
    attempt = attempt_id(next(_entries))
    number = next(numbers.numbers(outcome, 1, ring=ring, talk=talk))
    response = originate(ami, server, number, attempt, **headers)
    return attempt, response


# -- before and at the login --------------------------------------------------------------------

LOGIN = b"Action: Login\r\nUsername: ccs\r\nSecret: %s\r\nActionID: 1\r\n%s\r\n"


@pytest.mark.parametrize("action, message", [
    (b"Action: Ping\r\n\r\n", "Permission denied"),
    (b"Action: Originate\r\nChannel: PJSIP/1@farend\r\n\r\n", "Permission denied"),
    (b"Action: Nonsense\r\n\r\n", "Permission denied"),
    (b"ActionID: 7\r\n\r\n", "Missing action in request"),
    (b"Action: Challenge\r\n\r\n", "Must specify AuthType"),
])
def test_a_stranger_may_log_in_and_nothing_else(server, action, message):
    with raw(server) as sock:
        sock.sendall(action)
        said = answer(sock)
    assert "Response: Error\r\n" in said and f"Message: {message}\r\n" in said


def test_a_wrong_secret_ends_the_connection(server):
    with raw(server) as sock:
        sock.sendall(LOGIN % (b"guessed", b""))
        assert "Message: Authentication failed" in answer(sock)
        assert sock.recv(1) == b""


def test_logs_in_by_challenge_once(server):
    for secret, accepted in ((server.ami_secret, True), ("guessed", False)):
        with raw(server) as sock:
            sock.sendall(b"Action: Challenge\r\nAuthType: MD5\r\n\r\n")
            challenge = re.search("Challenge: ([0-9]+)\r\n", answer(sock))[1]
            key = hashlib.md5((challenge + secret).encode()).hexdigest()
            sock.sendall(f"Action: Login\r\nAuthType: MD5\r\nUsername: ccs\r\n"
                         f"Key: {key}\r\n\r\n".encode())
            assert ("Authentication accepted" in answer(sock)) == accepted


@pytest.mark.parametrize("mask, booted", [
    (b"", True), (b"Events: call,cdr,system\r\n", True),
    (b"Events: call\r\n", False), (b"Events: off\r\n", False)])
def test_events_as_asked_for(server, mask, booted):
    with raw(server) as sock:
        sock.sendall(LOGIN % (server.ami_secret.encode(), mask) + b"Action: Ping\r\n\r\n")
        assert "Authentication accepted" in answer(sock)
        if booted:
            assert re.search("FullyBooted\r\n.*Uptime: [0-9]+\r\n", answer(sock), re.DOTALL)
        assert "Ping: Pong" in answer(sock)


def test_a_second_login_and_logoff(server, ami):
    again = ami.action("Login", Username="ccs", Secret=server.ami_secret)
    assert (again["Response"], again["Message"]) == ("Success", "Already authenticated")
    assert ami.action("Logoff")["Response"] == "Goodbye"
    with pytest.raises(ConnectionError):
        ami.action("Ping")


# -- messages -----------------------------------------------------------------------------------

LINE_MAX, LINES_MAX = 1022, 128


@pytest.mark.parametrize("message, answers", [
    (b"Action: Ping\nActionID:bare\n\n", ["ActionID: bare\r\nPing: Pong"]),
    (b"aCTION: pING\r\naCTIONid: case\r\n\r\n", ["ActionID: case\r\nPing: Pong"]),
    (b"Action: Ping\r\nAction: Logoff\r\nActionID: a\r\nActionID: b\r\n\r\n",
     ["ActionID: a\r\nPing: Pong"]),
    (b"\r\nAction: Ping\r\n\r\n", ["Missing action in request", "Pong"]),
    (b"Action: Ping\r\nX: " + b"y" * (LINE_MAX - 3) + b"\r\n\r\n", ["Pong"]),
    (b"Action: Ping\r\nX: " + b"y" * (LINE_MAX - 2) + b"\r\nActionID: rest\r\n\r\n",
     ["Failed to parse message: line too long", "ActionID: rest\r\nMessage: Missing action"]),
    (b"X: " + b"y" * 100_000 + b"\r\nAction: Ping\r\n\r\n",
     ["Failed to parse message: line too long", "Pong"]),
    (b"Action: Ping\r\n" + b"X: 1\r\n" * (LINES_MAX - 1) + b"\r\n", ["Pong"]),
    (b"Action: Ping\r\nActionID: many\r\n" + b"X: 1\r\n" * (LINES_MAX - 1) + b"\r\n",
     ["ActionID: many\r\nMessage: Too many lines in message"]),
])
def test_lines_have_asterisks_limits(server, message, answers):
    with raw(server) as sock:
        sock.sendall(LOGIN % (server.ami_secret.encode(), b"Events: off\r\n"))
        answer(sock)
        sock.sendall(message + b"Action: Ping\r\nActionID: after\r\n\r\n")
        for expected in answers:
            assert expected in answer(sock)
        assert "ActionID: after\r\nPing: Pong" in answer(sock)


@pytest.mark.parametrize("headers, message", [
    ({"Channel": ""}, "Channel not specified"),
    ({"Channel": "nowhere"}, "Invalid channel"),
    ({"Timeout": "soon"}, "Invalid timeout"),
    ({"Context": "elsewhere", "Exten": "s"}, "Extension does not exist."),
    ({"Application": "System", "Data": "id"}, "Originate Access Forbidden"),
    ({"ChannelId": "x" * 150}, "Uniqueid length exceeds maximum of 149"),
])
def test_originates_that_asterisk_refuses(ami, headers, message):
    refused = ami.action("Originate", **{"Async": "true", "Channel": "PJSIP/1@farend", **headers})
    assert refused["Response"] == "Error" and refused["Message"].startswith(message)


@pytest.mark.parametrize("action, headers, message", [
    ("Command", {"Command": "core show uptime"}, "Permission denied"),
    ("Frobnicate", {}, "Invalid/unknown command: Frobnicate"),
    ("Hangup", {}, "No channel specified"), ("Hangup", {"Channel": "gone"}, "No such channel"),
    ("Events", {}, "Invalid event mask"),
])
def test_other_refusals(ami, action, headers, message):
    assert ami.action(action, **headers)["Message"].startswith(message)


# -- calls --------------------------------------------------------------------------------------

@pytest.mark.parametrize("ring", [0, 2])
@pytest.mark.parametrize("outcome", numbers.OUTCOMES)
def test_each_outcome_as_the_plan_says(quick, server, ami, outcome, ring):
    attempt, response = dial(ami, server, outcome, ring=ring, timeout_ms=3000)
    assert response["Message"] == "Originate successfully queued"
    if outcome == "stays":
        ami.collect(lambda events: "OriginateResponse" in names(events, attempt), 5)
        assert ami.action("Hangup", Channel=attempt, Cause="16")["Message"] == "Channel Hungup"
    wait_ended(ami, attempt)
    told = {event["Event"]: event for event in ami.events if attempt in names(
        [event], attempt) or event.get("Uniqueid") == attempt}
    expected = numbers.OUTCOMES[outcome]
    answered = expected.disposition == "completed"
    assert told["Hangup"]["Cause"] == str(expected.cause)
    assert (told["OriginateResponse"]["Response"] == "Success") == answered
    assert told["OriginateResponse"]["Reason"] == ("4" if answered else "3" if outcome == "rings"
                                                   else "0")
    ending = quick.book().endings[attempt]
    assert (ending.outcome, ending.disposition) == (outcome, expected.disposition)
    if outcome not in ("rings", "stays"):
        assert ring / 20 <= ending.ring_s < ring / 20 + 0.2


def test_document_numbers_and_prefixes(quick, server, ami):
    dialled = {attempt_id(next(_entries)): number for number in (
        *numbers.DOCUMENT_NUMBERS, "+919020000001", "919020000002", "09020000003", "5550000",
        "9190200000012", "9876543213")}
    for attempt, number in dialled.items():
        originate(ami, server, number, attempt)
    wait_ended(ami, *dialled)
    endings = quick.book().endings
    assert {number: endings[attempt].disposition for attempt, number in dialled.items()} == {
        number: numbers.disposition_of(number) for number in dialled.values()}


def test_an_id_in_use_is_refused_and_the_first_call_goes_on(quick):
    """22 takes the beginning of a living id for the same id, 16 does not; neither looks at case."""
    for server, verdict in zip(quick.servers, ("in_use", "queued")):
        with Ami(server) as ami:
            attempt, _ = dial(ami, server, "stays")
            number = next(numbers.numbers("busy", 1))
            for other in (attempt, attempt.upper(), attempt[:-1], attempt + "0"):
                originate(ami, server, number, other)
            ami.collect(lambda events: collections.Counter(
                event["Event"] for event in events)["OriginateResponse"] == 5, 5)
            verdicts = {o.call_id: o.verdict for o in quick.book().originates
                        if o.server == server.name and o.number == number}
            assert verdicts[attempt] == verdicts[attempt.upper()] == "in_use"
            assert (verdicts[attempt[:-1]], verdicts[attempt + "0"]) == (verdict, "queued")
            [refused] = [event for event in ami.events if event["Event"] == "OriginateResponse"
                         and event["ActionID"] == event["Uniqueid"] == attempt
                         and event["Response"] == "Failure"]
            assert refused["Reason"] == "0"
            ami.action("Hangup", Channel=attempt)
            wait_ended(ami, attempt)


def test_another_trunk_has_no_channel(quick, server, ami):
    attempt = attempt_id(next(_entries))
    ami.action("Originate", ActionID=attempt, ChannelId=attempt, Channel="PJSIP/1@nowhere",
               Context=server.context, Exten="s", Priority="1", Async="true")
    ami.collect(lambda events: names(events, attempt), 5)
    ami.action("Ping")
    assert names(ami.events, attempt) == ["OriginateResponse"]
    assert quick.book().originates[-1].verdict == "no_channel"


def test_list_of_channels(server, ami):
    up, _ = dial(ami, server, "stays")
    ringing, _ = dial(ami, server, "rings", timeout_ms=600_000)
    ami.collect(lambda events: "DialEnd" in names(events, up)
                and "Newstate" in names(events, ringing), 5)
    assert ami.action("CoreShowChannels")["EventList"] == "start"
    ami.collect(lambda events: events[-1].get("Event") == "CoreShowChannelsComplete", 5)
    assert ami.events[-1]["ListItems"] == "2"
    assert {event["Uniqueid"]: event["ChannelState"] for event in ami.events
            if event.get("Event") == "CoreShowChannel"} == {up: "6", ringing: "5"}
    ami.action("Hangup", Channel=up)
    ami.action("Hangup", Channel=ringing)
    wait_ended(ami, up, ringing)


def test_a_call_ends_at_its_limit(quick, server, ami):
    attempt, _ = dial(ami, server, "stays", Variable="TIMEOUT(absolute)=4")
    wait_ended(ami, attempt)
    ending = quick.book().endings[attempt]
    assert (ending.end, ending.answered, ending.cause) == ("limit", True, 0)
    assert 0.15 < ending.ring_s + ending.talk_s < 1  # 4 s, twenty times faster


def told_of(base, seed):
    """The events of 60 calls, by call, of a farm that is made for it."""
    running = farm.start(PROGRAMS, base, 1, speed=100, seed=seed, moods=["shuffled"],
                         all_events=True)
    try:
        [server] = running.servers
        with Ami(server) as ami:
            attempts = [attempt_id(entry) for entry in range(1, 61)]
            for attempt, number in zip(attempts, numbers.mixed(60, seed=1, talk=1)):
                originate(ami, server, number, attempt, timeout_ms=1000)
            wait_ended(ami, *attempts)
            return {attempt: names(ami.events, attempt) for attempt in attempts}
    finally:
        farm.stop(base)


def test_chance_comes_from_the_seed(tmp_path):
    first, again, other = (told_of(tmp_path / name, seed)
                           for name, seed in (("1", 1), ("2", 1), ("3", 2)))
    assert first == again != other


@pytest.mark.parametrize("mood, first, last", [
    ("normal", (0, 0.008), (0.06, 0.14)), ("shuffled", (0.3, 0.5), (0.3, 0.5))])
def test_events_overtake_one_another_as_often_as_measured(quick, server, ami, mood, first, last):
    """OriginateResponse before Newchannel, and after the Hangup of a failed call."""
    quick.set_mood(mood)
    attempts = [dial(ami, server, "busy")[0] for _ in range(1500)]
    wait_ended(ami, *attempts[-20:])
    place = collections.defaultdict(dict)
    for index, event in enumerate(ami.events):
        if "Uniqueid" in event:
            place[event["Uniqueid"]][event["Event"]] = index
    calls = [place[attempt] for attempt in attempts if "Hangup" in place[attempt]]
    before = sum(call["OriginateResponse"] < call["Newchannel"] for call in calls) / len(calls)
    after = sum(call["OriginateResponse"] > call["Hangup"] for call in calls) / len(calls)
    assert first[0] <= before <= first[1] and last[0] <= after <= last[1]


# -- moods --------------------------------------------------------------------------------------

def said_within(ami, seconds):
    """What arrives in this time; mostly nothing is expected to."""
    before = len(ami.events)
    with contextlib.suppress(TimeoutError):
        ami.collect(lambda _: False, seconds)
    return ami.events[before:]


@pytest.mark.parametrize("mood, disposition", [("answer", "completed"), ("busy", "busy")])
def test_forced_outcomes(quick, server, ami, mood, disposition):
    quick.set_mood(mood, server.name)
    attempts = [dial(ami, server, outcome)[0] for outcome in ("answered", "invalid", "busy")]
    wait_ended(ami, *attempts)
    endings = quick.book().endings
    assert {endings[attempt].disposition for attempt in attempts} == {disposition}


def test_silent_dials_and_says_nothing(quick, server, ami):
    quick.set_mood("silent", server.name)
    number = next(numbers.numbers("busy", 1))
    with pytest.raises(TimeoutError):
        ami._socket.settimeout(NEVER_S)
        originate(ami, server, number, attempt := attempt_id(next(_entries)))
    wait_until(lambda: attempt in quick.book().endings, seconds=5, what="the call ends unheard")
    with socket.create_connection((server.host, server.ami_port), timeout=NEVER_S) as sock:
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_late_keeps_the_order(quick, server, ami):
    quick.set_mood("late=200", server.name)
    began = time.monotonic()
    attempt, _ = dial(ami, server, "answered")
    assert 0.2 <= time.monotonic() - began < 1
    wait_ended(ami, attempt)
    told = names(ami.events, attempt)
    assert told[0] == "Newchannel" and told.index("Newstate") < told.index("Hangup")


def test_twice_is_twice(quick, server, ami):
    quick.set_mood("twice", server.name)
    attempt, _ = dial(ami, server, "answered")
    ami.collect(lambda events: set(collections.Counter(names(events, attempt)).values()) == {2}
                and "Hangup" in names(events, attempt) and "Cdr" in names(events, attempt), 5)


def test_half_a_message_and_the_end(quick, server):
    quick.set_mood("half=3", server.name)
    with raw(server) as sock:
        sock.sendall(LOGIN % (server.ami_secret.encode(), b"") + b"Action: Ping\r\n\r\n" * 10)
        said = b"".join(iter(lambda: sock.recv(65536), b""))
    assert said and not said.endswith(b"\r\n\r\n")


def test_slow_reads_slowly(quick, server, ami):
    quick.set_mood("slow=1000", server.name)
    began = time.monotonic()
    for _ in range(3):
        ami.action("Ping", Padding="x" * 200)
    assert time.monotonic() - began > 0.4  # more than 3 * 200 bytes, and the last needs no rest


def test_refuse_cuts_and_refuses_and_calls_go_on(quick, server, ami):
    attempt, _ = dial(ami, server, "answered", talk=9)
    quick.set_mood("refuse", server.name)
    with pytest.raises(ConnectionError):
        ami.collect(lambda _: False, 5)
    with pytest.raises(ConnectionRefusedError):
        Ami(server)
    assert attempt not in quick.book().endings
    quick.set_mood("normal", server.name)
    with Ami(server) as back:
        back.collect(lambda events: "Hangup" in names(events, attempt), 5)
    assert quick.book().endings[attempt].disposition == "completed"


def test_deny_and_reject_and_trunkless(quick, server, ami):
    quick.set_mood("deny,reject", server.name)
    with Ami(server) as stranger:
        assert stranger.login["Message"] == "Authentication failed"
    assert dial(ami, server, "busy")[1]["Response"] == "Error"
    assert quick.book().originates[-1].verdict == "refused"
    quick.set_mood("trunkless", server.name)
    attempt, response = dial(ami, server, "answered")
    assert response["Response"] == "Success"
    ami.collect(lambda events: names(events, attempt) == ["OriginateResponse"], 5)


@pytest.mark.parametrize("command, told", [("restart", True), ("kill", False)])
def test_a_restart_ends_all_calls_and_begins_anew(quick, server, ami, command, told):
    attempt, _ = dial(ami, server, "stays")
    ami.collect(lambda events: "DialEnd" in names(events, attempt), 5)
    boots = quick.show()[server.name]["boots"]
    quick.tell(command, server.name)
    with pytest.raises(ConnectionError):
        ami.collect(lambda _: False, 5)
    assert ("Hangup" in names(ami.events, attempt)) == told
    assert any(event.get("Event") == "Shutdown" for event in ami.events) == told
    wait_until(lambda: quick.show()[server.name]["boots"] > boots, seconds=5, what="it is back")
    with Ami(server) as back:
        back.action("CoreShowChannels")
        back.collect(lambda events: events[-1].get("Event") == "CoreShowChannelsComplete", 5)
        assert back.events[-1]["ListItems"] == "0"
        [booted] = [event for event in back.events if event.get("Event") == "FullyBooted"]
        assert booted["Uptime"] == "0"
    assert quick.book().endings[attempt].end == "restart"


def test_noise_is_of_other_calls(quick, server, ami):
    quick.set_mood("noise=200", server.name)
    attempt, _ = dial(ami, server, "answered")
    wait_ended(ami, attempt)
    ami.collect(lambda events: len(events) > 200, 5)
    quick.set_mood("normal", server.name)
    others = {event["Uniqueid"] for event in ami.events if "Uniqueid" in event} - {attempt}
    assert len(others) > 20 and {other[:4] for other in others} >= {"ccs-", "farm"}
    assert not others & {o.call_id for o in quick.book().originates}
    wait_until(lambda: quick.show()[server.name]["channels"] == 0, seconds=5, what="they end")


# -- the program --------------------------------------------------------------------------------

@pytest.mark.parametrize("mood, why", [
    ("gloomy", "there is no mood gloomy"), ("late=0", "late takes a number from 1 to"),
    ("answer,busy", "cannot be answered and busy"), ("farm9:late", "there is no server farm9")])
def test_moods_that_do_not_exist(tmp_path, quick, mood, why):
    with pytest.raises(StackError, match=why):
        farm.start(PROGRAMS, tmp_path, 1, moods=[mood])
    assert not (tmp_path / "pid").exists()
    who, _, what = mood.rpartition(":")
    with pytest.raises(StackError, match=why):
        quick.tell("mood", who or "all", what)


def test_a_thousand_servers_and_back_on_their_ports_after_kill_9(tmp_path):
    running = farm.start(PROGRAMS, tmp_path, 1000, speed=20)
    try:
        servers = running.servers[::111]
        for server in servers:
            with Ami(server) as ami:
                attempt, _ = dial(ami, server, "busy")
                wait_ended(ami, attempt)
        running.process.kill()
        with pytest.raises(ConnectionRefusedError):
            Ami(servers[0])
        farm.restart(running)
        for server in servers:
            with Ami(server) as ami:
                assert ami.login["Response"] == "Success"
        assert len(running.book().endings) == len(servers)
    finally:
        farm.stop(tmp_path)
