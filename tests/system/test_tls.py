"""AMI over TLS on real Asterisk, the newest and 16: who is believed, and that no call is lost when
the dispatcher's child or the process that speaks TLS is killed."""
import contextlib
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from live import FarEnd, Live
from pg_cluster import PROGRAMS
from stack import certs
from stack.progress import Silent
from stack.stack import Plan, Stack

# What may be in doubt when a connection is lost: the entries armed ahead and the Originates not yet
# answered, and calls that end within the moment until the next connection stands.
DOUBT = 2 + 20
UNSEEN_ENDS = 40
PING_S = 9


class Tls(Live):
    """A stack whose Asterisk is reached over TLS. The wire is the dispatcher's process for it."""

    def processes_of_dispatcher(self, *, is_wire) -> list[int]:
        found = []
        for pid in self.children("dispatcher"):
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                name = Path(f"/proc/{pid}/comm").read_text()
                found += [pid] if (name == "ccs-tls-wire\n") == is_wire else []
        return found

    def kill_of_dispatcher(self, *, is_wire):
        """kill -9, and another has come by the time this returns."""
        [victim] = self.processes_of_dispatcher(is_wire=is_wire)
        os.kill(victim, signal.SIGKILL)
        self.wait_until(lambda: self.processes_of_dispatcher(is_wire=is_wire) not in ([], [victim]),
                        "the killed process has a successor")

    def log(self) -> str:
        return (self.stack.log_dir / "ccs-dispatcher.log").read_text()

    def logged(self, pattern, *, after=0) -> list:
        """All matches in the dispatcher's log, from a position on."""
        return re.findall(pattern, self.log()[after:])

    def set_server(self, **changes):
        self.stack.ccs.ctl("server", "set", "ast1", *(f"--{name.replace('_', '-')}={value}"
                                                      for name, value in changes.items()))

    def status(self):
        [server] = self.api.get("/monitoring/serverstatus").ok["servers"]
        return server

    def wait_refused(self, words):
        """Waits until the server's last_error says so; it is then not connected."""
        self.wait_until(lambda: words in ((self.status()["last_error"] or {}).get("text") or ""),
                        f"last_error says {words!r}")
        assert not self.status()["ami"]["connected"]

    def wait_connected(self):
        self.wait_until(lambda: self.status()["ami"]["connected"], "the server is connected")


@pytest.fixture(scope="module", params=[None, "bullseye"], ids=["newest", "16"])
def live(request):
    folder = tempfile.mkdtemp(prefix="ccs-check-")
    plan = Plan(programs=str(PROGRAMS), channels=100, rate_limit=1_000_000, ring_seconds=5, tls=True,
                suite=request.param, settings={"dispatcher": {
                    "reconnect_max_ms": 1000, "ami_ping_ms": PING_S * 1000}})
    built = Stack.up(folder, plan, Silent())
    failed_before = request.session.testsfailed
    try:
        yield Tls(built)
    finally:
        built.down()
        if request.session.testsfailed == failed_before:
            shutil.rmtree(folder)


@pytest.fixture(scope="module")
def telephones(live):
    return FarEnd(live)


@pytest.fixture
def server(live):
    """The rig's server; ccs reaches it as before when the test is over."""
    [server] = live.stack.rig().servers
    yield server
    live.set_server(port=server.ami_tls_port, tls="yes", tls_verify="yes", tls_name="",
                    tls_ca=live.stack.folder / "tls/ca.pem")
    live.wait_connected()


def start_batch(live, telephones, count):
    numbers = telephones.mixed(count, talk=3)
    batch = live.insert(numbers=numbers)
    live.dispatch()
    live.wait_until(lambda: live.live_calls() > 50, "more than 50 calls are live")
    return batch, numbers


def check_books(telephones, report, numbers, *, half_seen=0):
    """half_seen: so many calls may have ended with a part of what is said about it unheard."""
    assert report.total == len(numbers) and report.open == 0
    assert all(row["finals"] == 1 and row["attempts"] <= 1 for row in report.rows)
    assert max(telephones.cdr_per_attempt(report).values()) == 1
    assert max(telephones.times_rung(numbers).values()) == 1
    assert len(report.not_as_dialled()) <= half_seen, report.not_as_dialled()


# -- login and calls ----------------------------------------------------------------------------

def test_calls_go_over_a_verified_connection(live, telephones):
    [server] = live.stack.rig().servers
    numbers = telephones.mixed(200)
    batch = live.insert(numbers=numbers)
    live.dispatch()
    report = live.wait_finished(batch)
    check_books(telephones, report, numbers)
    assert report.unknown == 0
    assert live.logged(rf"at=tls.open host=127.0.0.1 port={server.ami_tls_port} .* verified=1")
    assert live.logged(rf"at=ami.up server=ast1 host=127.0.0.1 port={server.ami_tls_port} tls=1")


def test_a_burst_in_one_write_is_dialled_at_once(live, telephones):
    """More than Asterisk takes from one TLS record: what is left of it would wait for the next Ping."""
    batch = live.insert(numbers=telephones.numbers("busy", 20, ring=0))
    live.dispatch()
    report = live.wait_finished(batch)
    assert report.dispositions == {"busy": 20}
    [[slowest]] = live.sql("""
        select extract(epoch from max(d.ended_at - a.armed_at))
          from entry e join attempt a using (entry_id) join call_detail d using (entry_id)
          join queue_master m on m.id = e.queue_master_id
         where m.client_id = %s and m.batch_id = %s""", live.client_id, batch)
    assert slowest < PING_S / 3


# -- who is not believed ------------------------------------------------------------------------

def test_another_authority_is_refused_and_told(live, server, tmp_path):
    other = certs.make(tmp_path / "other")
    live.set_server(tls_ca=other.ca)
    live.wait_refused(f"TLS: no certificate in {other.ca}"[:90])
    live.set_server(tls_ca="")
    live.wait_refused("TLS: nobody vouches for the certificate: set tls_ca")
    live.set_server(tls_ca="/nowhere/ca.pem")
    live.wait_refused("TLS: tls_ca /nowhere/ca.pem: No such file or directory")


def test_another_name_is_refused_and_told(live, server):
    live.set_server(tls_name="elsewhere.test")
    live.wait_refused("TLS: the certificate is for localhost, not elsewhere.test; tls_name can tell")
    live.set_server(tls_name="localhost")
    live.wait_connected()


def test_a_port_in_clear_is_told(live, server):
    live.set_server(port=server.ami_port)
    live.wait_refused("TLS: this port does not speak TLS: it is another than tlsbindaddr")
    live.set_server(tls="no")
    live.wait_connected()


def test_without_verification_anybody_is_believed_and_the_log_warns(live, server):
    start = len(live.log())
    live.set_server(tls_verify="no", tls_ca="", tls_name="elsewhere.test")
    for line in ("level=warn .* at=ami.unverified server=ast1", "at=tls.open .* verified=0"):
        live.wait_until(lambda: live.logged(line, after=start), line)


# -- kill -9 ------------------------------------------------------------------------------------

def test_killed_dispatcher_loses_nothing(live, telephones):
    batch, numbers = start_batch(live, telephones, 400)
    start = len(live.log())
    [wire] = live.processes_of_dispatcher(is_wire=True)
    live.kill_of_dispatcher(is_wire=False)
    live.wait_until(lambda: live.report(batch).open <= 200, "half of the calls have ended")
    live.kill_of_dispatcher(is_wire=False)
    report = live.wait_finished(batch)
    check_books(telephones, report, numbers)
    assert report.unknown == 0
    assert live.processes_of_dispatcher(is_wire=True) == [wire]
    assert len(live.logged("at=ami.probed", after=start)) == 2
    assert not live.logged("at=ami.lost|at=tls.open", after=start)


def test_killed_wire_means_a_reconnect_and_a_comparison(live, telephones):
    batch, numbers = start_batch(live, telephones, 400)
    start = len(live.log())
    live.kill_of_dispatcher(is_wire=True)
    report = live.wait_finished(batch)
    check_books(telephones, report, numbers, half_seen=5)
    assert report.unknown <= DOUBT + UNSEEN_ENDS
    [adopted] = live.logged(r"at=ami.resync .* adopted=(\d+)", after=start)
    assert int(adopted) > 10
    live.check_segment()


def test_killed_server_comes_back(live, telephones):
    batch, numbers = start_batch(live, telephones, 200)
    live.kill("ast1")
    live.start("ast1")
    report = live.wait_finished(batch)
    assert report.total == 200 and report.open == 0
    assert max(telephones.times_rung(numbers).values()) == 1


# -- an orderly end -----------------------------------------------------------------------------

def test_orderly_stop_leaves_no_doubt_and_says_goodbye(live, telephones):
    [server] = live.stack.rig().servers
    batch, numbers = start_batch(live, telephones, 200)
    start = len(Path(server.log_file).read_text())
    live.stop("dispatcher")
    assert not (live.stack.ccs.run_dir / "tls.sock").exists()
    live.start("dispatcher")
    report = live.wait_finished(batch)
    check_books(telephones, report, numbers)
    assert report.unknown == 0
    assert "SSL_shutdown" not in Path(server.log_file).read_text()[start:]
