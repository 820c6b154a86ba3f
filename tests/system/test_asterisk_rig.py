"""The Asterisk rig: provisioning, both profiles, the number plan, privileges, the operator sample."""
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from asterisk_rig import Ami, attempt_id, originate
from places import ROOT
from stack import asterisk, cdr, numbers, ports
from stack.proc import Process, StackError, wait_until

PROVISION = ROOT / "deploy/asterisk/provision"
SAMPLE = ROOT / "deploy/asterisk/sample"
SUBSCRIBED = {"FullyBooted", "Shutdown", "Reload", "OriginateResponse", "Newchannel", "Newstate",
              "DialBegin", "DialEnd", "Hangup", "Cdr"}
LISTED = {"CoreShowChannel", "CoreShowChannelsComplete"}


@pytest.fixture(scope="module")
def tree():
    return asterisk.provision()


@pytest.fixture(scope="module", params=asterisk.PROFILES)
def rig(request, tree, tmp_path_factory):
    base = tmp_path_factory.mktemp(request.param)
    yield asterisk.start(tree, base, 1, profile=request.param)
    asterisk.stop(base)


@pytest.fixture
def small_rig(tree, tmp_path):
    """One server with Local/ channels, for tests that stop or change it."""
    yield asterisk.start(tree, tmp_path, 1, profile="local", calls=10)
    asterisk.stop(tmp_path)


@pytest.fixture
def server(rig):
    return rig.servers[0]


@pytest.fixture
def ami(server):
    with Ami(server) as connection:
        assert connection.login["Response"] == "Success"
        yield connection


def events_of(ami, name, attempt):
    return [event for event in ami.events
            if event.get("Event") == name and event.get("Uniqueid") == attempt]


def wait_finished(ami, attempts, seconds=15):
    """Until each attempt has its OriginateResponse and, as all make a channel, its Hangup."""
    ami.collect(lambda _: all(events_of(ami, "OriginateResponse", attempt)
                              and events_of(ami, "Hangup", attempt) for attempt in attempts),
                seconds)


# -- provisioning -------------------------------------------------------------------------------

def provision(cache, *args, **env):
    return subprocess.run([PROVISION, *args], capture_output=True, text=True, check=False,
                          env={**os.environ, "CCS_ASTERISK_CACHE": str(cache), **env})


def test_cached_tree_is_used_in_place_and_placed_where_asked(tree, tmp_path):
    again = provision(tree.parent)
    assert again.returncode == 0 and again.stdout == f"{tree}\n"
    placed = provision(tree.parent, tmp_path / "mine")
    assert placed.stdout == f"{tmp_path}/mine\n"
    version = subprocess.run([tmp_path / "mine/asterisk", "-V"], capture_output=True, text=True,
                             check=True).stdout
    assert version.startswith("Asterisk ")


def test_half_a_tree_is_not_believed_and_no_mirror_is_said(tmp_path):
    half = tmp_path / "asterisk-forky"
    half.mkdir()
    (half / "layout").write_text("suite=forky\n")
    done = provision(tmp_path, "--suite", "forky", http_proxy="http://127.0.0.1:9",
                     https_proxy="http://127.0.0.1:9")
    assert done.returncode == 1 and done.stdout == ""
    assert "forky is not available: E: Failed to fetch" in done.stderr
    assert "the end of" in done.stderr
    assert not half.exists() and not (tmp_path / ".work").exists()


def test_a_folder_with_other_things_in_it_is_left_alone(tree, tmp_path):
    (tmp_path / "letter").write_text("dear")
    done = provision(tree.parent, tmp_path)
    assert done.returncode == 1 and "holds something else" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]


# -- the number plan ----------------------------------------------------------------------------

@pytest.mark.parametrize("outcome", numbers.OUTCOMES)
def test_thousand_numbers_for_each_outcome(outcome):
    batch = list(numbers.numbers(outcome, 1000))
    other = list(numbers.numbers(outcome, 1000, seed=1))
    assert len(set(batch + other)) == 2000
    assert {numbers.outcome_of(number) for number in batch} == {outcome}
    assert {numbers.outcome_of("+91" + number) for number in batch} == {outcome}


def test_mixed_batch_holds_all_shares_and_repeats_for_a_seed():
    batch = numbers.mixed(200)
    counts = {outcome: len(those) for outcome, those in numbers.by_outcome(batch).items()}
    assert counts == {outcome: 2 * share for outcome, share in numbers.DEFAULT_SHARES.items()}
    assert batch == numbers.mixed(200) != numbers.mixed(200, seed=1)


def test_numbers_are_valid_mobile_numbers_for_libphonenumber(tmp_path):
    checker = tmp_path / "valid"
    subprocess.run(["g++", "-o", checker, "-x", "c++", "-", "-lphonenumber"], check=True, text=True,
                   input=r"""
#include <iostream>
#include <phonenumbers/phonenumberutil.h>
using namespace i18n::phonenumbers;
int main()
{
	const PhoneNumberUtil *util = PhoneNumberUtil::GetInstance();
	for (std::string line; std::getline(std::cin, line);) {
		PhoneNumber number;
		if (util->Parse(line, "IN", &number) != PhoneNumberUtil::NO_PARSING_ERROR ||
		    !util->IsValidNumberForRegion(number, "IN") ||
		    util->GetNumberType(number) != PhoneNumberUtil::MOBILE)
			std::cout << line << "\n";
	}
}
""")
    batch = [*numbers.DOCUMENT_NUMBERS]
    for outcome in numbers.OUTCOMES:
        for ring in range(10):
            batch += numbers.numbers(outcome, 20, seed=ring, ring=ring, talk=11 * ring)
    forms = [form + number for number in batch for form in ("", "0", "91", "+91")]
    done = subprocess.run([checker], input="\n".join(forms), capture_output=True, text=True,
                          check=True)
    assert done.stdout == ""


# -- calls --------------------------------------------------------------------------------------

def test_each_outcome_as_the_plan_says(rig, server, ami):
    dialled = {attempt_id(entry): next(numbers.numbers(outcome, 1, talk=1))
               for entry, outcome in enumerate(numbers.OUTCOMES, 1)}
    of_outcome = {numbers.outcome_of(number): attempt for attempt, number in dialled.items()}
    for attempt, number in dialled.items():
        assert originate(ami, server, number, attempt, timeout_ms=1500)["Response"] == "Success"
    ami.collect(lambda _: events_of(ami, "OriginateResponse", of_outcome["stays"]), 10)
    ami.action("Hangup", Channel=of_outcome["stays"], Cause="16")
    wait_finished(ami, dialled)

    for attempt, number in dialled.items():
        outcome = numbers.outcome_of(number)
        expected = numbers.OUTCOMES[outcome]
        (response,), (hangup,) = (events_of(ami, name, attempt)
                                  for name in ("OriginateResponse", "Hangup"))
        answered = expected.disposition == "completed"
        reason = "4" if answered else "3" if outcome == "rings" else "0"
        assert (response["Response"] == "Success", response["Reason"]) == (answered, reason), outcome
        causes = {str(expected.cause)} | ({"0"} if outcome == "rings" else set())
        assert hangup["Cause"] in causes, outcome

    own = wait_until(lambda: len(cdr.by_attempt(rig)) >= len(dialled) and cdr.by_attempt(rig),
                     seconds=5, what="all CDRs are written")
    assert {attempt: len(own[attempt]) for attempt in dialled} == dict.fromkeys(dialled, 1)
    def far_calls():
        return [call for call in cdr.far_calls(rig) if call.number in dialled.values()]

    far = wait_until(lambda: len(far_calls()) >= len(dialled) and far_calls(), seconds=5, what="the far end's are, too")
    assert sorted(call.number for call in far) == sorted(dialled.values())
    for call in far:
        completed = numbers.disposition_of(call.number) == "completed"
        assert (call.disposition == "ANSWERED") == completed, call


def test_ringing_and_talking_take_the_seconds_in_the_number(server, ami):
    number = next(numbers.numbers("answered", 1, ring=1, talk=1))
    originate(ami, server, number, attempt_id(0x100))
    wait_finished(ami, [attempt_id(0x100)])
    stamps = {event["ChannelState"]: float(event["Timestamp"])
              for event in events_of(ami, "Newstate", attempt_id(0x100))}
    ended = float(events_of(ami, "Hangup", attempt_id(0x100))[0]["Timestamp"])
    assert 0.9 < stamps["6"] - stamps["5"] < 2
    # Asterisk 16 talks half a second longer.
    assert 0.9 < ended - stamps["6"] < 2.5


@pytest.mark.parametrize("number, cause", [
    ("+919020000001", "17"), ("919020000001", "17"), ("09020000001", "17"),
    ("5550000", "1"), ("+15551234567", "1"), ("9190200000012", "1"), ("9876543213", "1"),
])
def test_prefixes_and_foreign_numbers(server, ami, number, cause):
    attempt = attempt_id(0x200 + int(number[-8:]) % 0x10000, len(number))
    originate(ami, server, number, attempt)
    wait_finished(ami, [attempt])
    assert events_of(ami, "Hangup", attempt)[0]["Cause"] == cause


def test_numbers_of_the_document_are_answered_for_three_seconds(server, ami):
    attempts = {attempt_id(0x300 + i): number
                for i, number in enumerate(numbers.DOCUMENT_NUMBERS)}
    for attempt, number in attempts.items():
        originate(ami, server, number, attempt)
    wait_finished(ami, attempts)
    for attempt in attempts:
        up = [float(event["Timestamp"]) for event in events_of(ami, "Newstate", attempt)
              if event["ChannelState"] == "6"]
        ended = float(events_of(ami, "Hangup", attempt)[0]["Timestamp"])
        assert 2.9 < ended - up[0] < 4.5


def test_recording_is_where_it_is_asked_for_and_holds_sound(server, ami):
    file = Path(server.recording_dir) / "ACME/2026-11-22/a-call.wav"
    number = next(numbers.numbers("speaks", 1, talk=0))
    originate(ami, server, number, attempt_id(0x400), Variable=f"CCS_RECORD={file}")
    wait_finished(ami, [attempt_id(0x400)])
    wait_until(lambda: file.exists() and file.stat().st_size > 8000, seconds=5, what=f"{file} holds half a second")


@pytest.mark.parametrize("name, passes", [("CcsResult", True), ("CcsOptOut", True), ("Hangup", False), ("CcsResults", False)])
def test_U24_of_the_dialplans_events_exactly_two_pass_the_filter(server, ami, name, passes):
    attempt = attempt_id(0x480 + len(name), 1 + passes)
    ami.action("Originate", ActionID=attempt, ChannelId=attempt, Async="true", Application="UserEvent",
               Channel=f"{server.technology}/9000010000@{server.endpoint}", Data=f"{name},CallId: {attempt}")
    wait_finished(ami, [attempt])  # what is told on a channel comes before its end
    told = [event for event in ami.events if event.get("Event") == "UserEvent" and event.get("CallId") == attempt]
    assert [event["UserEvent"] for event in told] == [name] * passes


# -- the account --------------------------------------------------------------------------------

def test_events_are_the_subscribed_ones_and_lists_are_complete(server, ami):
    attempt = attempt_id(0x500)
    originate(ami, server, next(numbers.numbers("stays", 1)), attempt)
    ami.collect(lambda _: events_of(ami, "OriginateResponse", attempt), 10)
    ami.action("CoreShowChannels")
    ami.collect(lambda events: events[-1].get("Event") == "CoreShowChannelsComplete", 5)
    assert events_of(ami, "CoreShowChannel", attempt)
    ami.action("Hangup", Channel=attempt, Cause="16")
    wait_finished(ami, [attempt])
    ami.collect(lambda events: any(event.get("Event") == "Cdr" and event["UniqueID"] == attempt
                                   for event in events), 5)
    assert {event["Event"] for event in ami.events} <= SUBSCRIBED | LISTED


@pytest.mark.parametrize("action, headers", [
    ("Command", {"Command": "core show uptime"}),
    ("GetConfig", {"Filename": "manager.conf"}),
    ("UpdateConfig", {"SrcFilename": "manager.conf", "DstFilename": "manager.conf"}),
    ("ModuleLoad", {"Module": "app_system.so", "LoadType": "load"}),
    ("Reload", {}),
    ("Filter", {"Operation": "Add", "Filter": "Event: VarSet"}),
    ("DBPut", {"Family": "a", "Key": "b", "Val": "c"}),
    ("DialplanExtensionAdd", {"Context": "x", "Extension": "1", "Priority": "1",
                              "Application": "System"}),
    ("Originate", {"Channel": "Local/9000010000@farend", "Application": "System", "Data": "id",
                   "Async": "true"}),
    ("Originate", {"Channel": "Local/9000010000@farend", "Application": "MixMonitor",
                   "Data": "/tmp/x.wav", "Async": "true"}),
])
def test_account_may_only_dial_hang_up_and_list(ami, action, headers):
    response = ami.action(action, **headers)
    assert response["Response"] == "Error"
    assert re.search("Permission denied|Originate Access Forbidden|Invalid/unknown command",
                     response["Message"])


def test_wrong_secret_is_refused(server):
    with Ami(server, secret="guess") as stranger:
        assert stranger.login["Message"] == "Authentication failed"


# -- start and stop -----------------------------------------------------------------------------

def test_boots_without_a_complaint_and_listens_on_loopback_only(rig):
    for server in rig.all():
        log = Path(server.log_file).read_text()
        boot = log[:log.index("CDR simple logging enabled")]
        assert "WARNING" not in boot and "ERROR" not in boot
        listening = subprocess.run(["ss", "-Hlntup"], capture_output=True, text=True,
                                   check=True).stdout
        ours = [line.split() for line in listening.splitlines() if f"pid={server.pid}," in line]
        assert ours
        for words in ours:
            address, _, port = words[4].rpartition(":")
            # Two UDP sockets of the DNS resolver have ports of the kernel's choice and no address.
            resolver = words[0] == "udp" and int(port) not in (*server.ports(), *range(
                server.rtp_first, server.rtp_last + 1))
            assert address == "127.0.0.1" or resolver, words


def test_stop_leaves_no_process_and_no_port(small_rig):
    server = small_rig.servers[0]
    assert not ports.is_free(server.ami_port)
    assert asterisk.stop(small_rig.base) == 1
    assert not Path(f"/proc/{server.pid}").exists()
    assert ports.is_free(server.ami_port) and ports.is_free(server.sip_port)
    assert asterisk.stop(small_rig.base) == 0
    assert asterisk.load(small_rig.base).servers[0].pid is None


def test_second_start_in_the_same_folder_is_refused(small_rig, tree):
    with pytest.raises(StackError, match="already running"):
        asterisk.start(tree, small_rig.base, 1, profile="local")
    assert asterisk.load(small_rig.base).servers[0].pid == small_rig.servers[0].pid


def test_killed_server_comes_back_on_its_ports(small_rig):
    server = small_rig.servers[0]
    before = server.pid
    assert server.process.kill()
    with pytest.raises(OSError):
        socket.create_connection((server.host, server.ami_port), timeout=1)
    asterisk.restart(small_rig, "ast1")
    assert server.pid != before
    with Ami(server) as connection:
        assert connection.login["Response"] == "Success"


def test_failed_start_shows_the_log_and_leaves_nothing_running(tree, tmp_path):
    broken = tmp_path / "tree"
    broken.mkdir()
    shutil.copy(tree / "layout", broken)
    (broken / "asterisk").write_text("#!/bin/sh\necho no codec for hope\nexit 1\n")
    (broken / "asterisk").chmod(0o755)
    with pytest.raises(StackError, match="(?s)ended while it started.*no codec for hope"):
        asterisk.start(broken, tmp_path / "base", 2)
    assert not list((tmp_path / "base").glob("*/pid"))


def test_path_too_long_for_a_socket_is_refused_before_anything_starts(tree, tmp_path):
    with pytest.raises(StackError, match="too long for a Unix socket"):
        asterisk.start(tree, tmp_path / ("x" * 100), 1)


# -- the operator's sample ----------------------------------------------------------------------

def test_sample_account_is_the_one_tested_here(server):
    """What the rig's account may and sees is, line by line, what the sample gives an operator."""
    def account(path):
        section = path.read_text().split("\n[ccs]\n")[1]
        return [line for line in section.splitlines()
                if line.startswith(("read", "write", "eventfilter", "deny"))]
    assert account(SAMPLE / "manager.conf") == account(Path(server.folder) / "etc/manager.conf")


def test_sample_files_work_on_a_real_server(tree, tmp_path):
    """The sample with nothing but addresses, paths and secrets replaced: TLS login and a call."""
    rig = asterisk.start(tree, tmp_path / "rig", 1, calls=10)
    try:
        server = rig.servers[0]
        server.process.stop()
        key, certificate = tmp_path / "ami.key", tmp_path / "ami.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
                        "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)
        with ports.Lease() as lease:
            tls_port = lease.port()
            replace = {
                "5038": str(server.ami_port), "0.0.0.0:5039": f"127.0.0.1:{tls_port}",
                "CHANGE-ME": server.ami_secret, "/etc/asterisk/keys/ami.crt": str(certificate),
                "/etc/asterisk/keys/ami.key": str(key), "192.0.2.10/": "127.0.0.1/",
                "0.0.0.0:5060": f"127.0.0.1:{server.sip_port}",
                "203.0.113.20:5060": f"127.0.0.1:{rig.far_end.sip_port}",
                "203.0.113.20": "127.0.0.1"}
            for name in ("manager.conf", "pjsip.conf", "cdr.conf"):
                text = (SAMPLE / name).read_text()
                for old, new in replace.items():
                    text = text.replace(old, new)
                (Path(server.folder) / "etc" / name).write_text(text)
            # The far end speaks one codec only.
            asterisk.restart(rig, "ast1")
        asterisk.cli(rig, "ast1", "pjsip qualify trunk")
        wait_until(lambda: "Avail" in asterisk.cli(rig, "ast1", "pjsip show contacts"), seconds=10,
                   what="the trunk is qualified")
        attempt = attempt_id(1)
        with Ami(server, tls_port=tls_port) as connection:
            server.endpoint = "trunk"
            originate(connection, server, "9000010000", attempt)
            wait_finished(connection, [attempt])
            assert events_of(connection, "Hangup", attempt)[0]["Cause"] == "16"
        log = Path(server.log_file).read_text()
        assert "ERROR" not in log
    finally:
        asterisk.stop(rig.base)


# -- ports and processes ------------------------------------------------------------------------

def test_leases_never_overlap_and_end_with_the_last_holder(tmp_path):
    first, second = ports.Lease(), ports.Lease()
    taken = {*first.block(300), first.port()}
    assert taken.isdisjoint({*second.block(300), second.port()})
    holder = Process("holder", str(tmp_path), tmp_path / "pid", tmp_path / "log")
    port = min(taken)
    holder.start(["tail", "-f", tmp_path / "log"], keep_fds=[first.fd])
    first.close()
    with pytest.raises(StackError, match="another stack"):
        second.again(port)
    holder.kill()
    second.again(port)
    second.close()


def test_the_ports_of_a_server_that_is_down_are_nobody_elses_until_release(tmp_path):
    lease, other = ports.kept(tmp_path / "ast1"), ports.Lease()
    port = lease.port()
    holder = Process("holder", str(tmp_path), tmp_path / "pid", tmp_path / "log")
    holder.start(["tail", "-f", tmp_path / "log"], keep_fds=[lease.fd])
    holder.kill()
    with pytest.raises(StackError, match="another stack"):
        other.again(port)
    ports.kept(tmp_path / "ast1").again(port)
    ports.release(tmp_path)
    other.again(port)
    other.close()


def test_stop_spares_a_stranger_with_the_pid_of_a_stale_file(tmp_path):
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (tmp_path / "pid").write_text(f"{stranger.pid}\n")
        process = Process("gone", str(tmp_path), tmp_path / "pid", tmp_path / "log")
        assert process.pid() is None
        assert process.stop() is False
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_wait_ready_ends_when_the_process_does_and_shows_its_last_words(tmp_path):
    process = Process("hasty", str(tmp_path), tmp_path / "pid", tmp_path / "log")
    process.start(["/bin/sh", "-c", "echo out of luck; exit 3", tmp_path])
    started = time.monotonic()
    with pytest.raises(StackError, match="(?s)hasty ended while it started.*out of luck"):
        process.wait_ready(lambda: False, seconds=30)
    assert time.monotonic() - started < 5
