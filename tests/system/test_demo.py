"""deploy/demo as people and programs call it: it comes up whole, ends whole, and leaves nothing."""
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import psycopg2
import pytest
from places import PROGRAMS, ROOT
from stack.api import Api
from stack.ccs import PROGRAMS as NAMES
from stack.proc import wait_until

DEMO = ROOT / "deploy/demo"
SECONDS = 90


def demo(*words, **more):
    """Runs it to its end."""
    return subprocess.run([DEMO, *map(str, words)], capture_output=True, text=True,
                          timeout=SECONDS, check=False, **more)


@pytest.fixture
def folder():
    """A short path, as Unix sockets need; nothing may be left of the demo in it at the end."""
    with tempfile.TemporaryDirectory(prefix="ccs-t-") as path:
        path = Path(path)
        yield path
        demo("down", "--dir", path)


def up(folder, *words):
    done = demo("up", "--dir", folder, "--json", "--programs", PROGRAMS, *words)
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    return json.loads(line)


def processes_of(folder):
    """Command lines that name the folder: ours do, each and all."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{folder}/" in command and int(path.parent.name) != os.getpid():
            found.append(command)
    return found


def nothing_left(folder, node=None):
    assert processes_of(folder) == []
    assert not list(Path("/dev/shm").glob(f"ccs-{node}.*" if node else f"ccs-*{folder.name}*"))
    assert [path for path in folder.rglob("*") if path.is_socket() or path.name == "pid"] == []


def node_of(folder):
    return json.loads((folder / "stack.json").read_text())["node"]


def test_up_says_what_a_program_needs_and_down_leaves_only_logs(folder):
    told = up(folder)
    node = node_of(folder)
    assert set(told) >= {"base_url", "ws_url", "ca_file", "api_key", "accountcode", "client_id",
                         "dir", "log_dir", "pg_dsn", "pids", "numbers"}
    assert told["base_url"].startswith("https://127.0.0.1:")
    assert told["ws_url"] == told["base_url"].replace("https", "wss") + "/api/ws/v1/monitoring/ws"
    assert all(Path(f"/proc/{pid}").exists() for pid in told["pids"].values())
    assert all(told["numbers"].values())

    me = Api(told["base_url"], told["api_key"], ca_file=told["ca_file"]).get("/clients/me").ok
    assert (me["id"], me["accountcode"]) == (told["client_id"], told["accountcode"])
    assert (me["rate_limit"], me["allocated_channels"]) == (36_000, 100)
    database = psycopg2.connect(told["pg_dsn"])
    with database.cursor() as cursor:
        cursor.execute("select accountcode from client")
        assert cursor.fetchall() == [(told["accountcode"],)]
    database.close()

    done = demo("down", "--dir", folder)
    assert done.returncode == 0, done.stderr
    nothing_left(folder, node)
    assert {path.name for path in folder.iterdir()} == {"log", "asterisk"}
    assert (folder / "log/ccs-dispatcher.log").stat().st_size > 0


def test_two_side_by_side_do_not_meet(folder):
    with tempfile.TemporaryDirectory(prefix="ccs-t-") as second:
        try:
            one, other = up(folder), up(second, "--servers", 2)
            assert one["base_url"] != other["base_url"] and one["api_key"] != other["api_key"]
            for told in one, other:
                api = Api(told["base_url"], told["api_key"], ca_file=told["ca_file"])
                api.post("/queues/quickcall/", {"phone_number": told["numbers"]["busy"][0]}).ok
                wait_until(lambda: api.get("/monitoring/callingsummary").ok["total_calls"] == 1,
                           seconds=30, what="the call is over")
        finally:
            demo("down", "--dir", second)
        assert Api(one["base_url"], one["api_key"],
                   ca_file=one["ca_file"]).get("/monitoring/health").status == 200


def test_run_dials_reports_and_ends(folder):
    done = demo("run", "--once", "--count", 24, "--dir", folder, "--programs", PROGRAMS)
    assert done.returncode == 0, done.stderr
    assert "24/24" in done.stderr and "one for every attempt" in done.stderr
    assert "curl --cacert" in done.stdout
    nothing_left(folder)


def test_profile_without_udp(folder):
    done = demo("run", "--once", "--count", 24, "--profile", "local", "--dir", folder,
                "--programs", PROGRAMS)
    assert done.returncode == 0, done.stderr


def heed_interrupts():
    """A shell lets what it starts in the background ignore them, and whatever that starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["PostgreSQL", "certificates", "Dialling"])
def test_interrupted(folder, number, moment):
    """Ended by a signal, at first or in the middle of the batch, it takes everything with it."""
    with subprocess.Popen([DEMO, "run", "--dir", folder, "--programs", PROGRAMS],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          preexec_fn=heed_interrupts) as child:
        guard = threading.Timer(SECONDS, child.kill)
        guard.start()
        said = ""
        for line in child.stderr:
            said += line
            if moment in line:
                child.send_signal(number)
                break
        said += child.stderr.read()
        status = child.wait()
        guard.cancel()
    assert status == 128 + number, said
    assert "nothing is left running" in said
    nothing_left(folder)


def test_failure_names_the_log_and_leaves_nothing(folder):
    with tempfile.TemporaryDirectory(prefix="ccs-t-") as broken:
        for name in NAMES:
            os.symlink(PROGRAMS.resolve() / name, Path(broken) / name)
        (Path(broken) / "ccs-api").unlink()
        (Path(broken) / "ccs-api").write_text(
            "#!/bin/sh\ncase $* in *print*) ;; *) echo out of luck >&2; exit 1 ;; esac\n")
        (Path(broken) / "ccs-api").chmod(0o755)
        done = demo("up", "--dir", folder, "--programs", broken)
    assert done.returncode == 1
    assert f"{folder}/log/ccs-api.log" in done.stderr and "out of luck" in done.stderr
    nothing_left(folder)


def test_what_cannot_work_is_refused_at_once(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = demo("up", "--dir", folder, "--port", port, "--programs", PROGRAMS)
        assert done.returncode == 1 and f"port {port} is in use" in done.stderr
    assert "run make first" in demo("up", "--dir", folder, "--programs", "/nowhere").stderr
    (folder / "precious").touch()
    assert "not empty" in demo("up", "--dir", folder, "--programs", PROGRAMS).stderr
    assert "holds no demo" in demo("down", "--dir", folder).stderr
