#!/usr/bin/python3
"""The HTTP API beside its floor and its peer: a bare libfcgi program, and a FastAPI service, behind the same nginx.

    tests/bench/api.py [--programs build/release] [--rounds 3] [--seconds 4] [--only reads,writes,summary,starved]
                        [--entries 0,100,1000,10000] [--details 1000000]

The three take turns, round by round; what is printed (Markdown, for docs/BENCHMARKS.md) are medians. The load is wrk over
HTTPS. The peer is tests/bench/peer: it checks no limits and dials nobody. Needs the packages of deploy/packages-bench.
"""
import argparse
import contextlib
import http.client
import itertools
import os
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "deploy"))

from stack.proc import wait_until  # noqa: E402
from stack.progress import Teller  # noqa: E402
from stack.stack import Plan, Stack  # noqa: E402

WORKERS = os.cpu_count()
CLIENTS = 64
REQUESTS_PER_MINUTE = 10_000_000
# One machine asks for all.
NO_WALL = {"nginx": {f"{kind}_per_second": 1_000_000 for kind in ("reads", "inserts", "key_requests")}}
CLIENTS_WRITING = {0: 16, 100: 8, 1_000: 4, 10_000: 2}  # by entries of a batch; 0: a quick call
MANY = 200  # clients at once, of whom none may starve
PEERS = {"peer": {}, "peer, keys cached": {"PEER_KEYS": "cached"},
         "peer, phonenumbers": {"PEER_NUMBERS": "full"}}
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_batches = itertools.count(1, 1_000_000)

_UPSTREAM = "upstream bench_{name} {{ server unix:{socket}; keepalive 64; keepalive_requests 1000000; }}\n"
_PEER = """location /{name}/ {{
    proxy_pass http://bench_{name}/; proxy_http_version 1.1; proxy_set_header Connection "";
    client_max_body_size 16m; client_body_buffer_size 1m;
}}
"""

# A month of calls of ten clients, for us and for the peer: the same hours, durations and outcomes.
_OUR_DETAILS = """
insert into call_detail (entry_id, n, client_id, server_id, disposition, hangup_cause, reason, is_final, started_at,
                         answered_at, ended_at, duration_ms, billsec_ms)
select (select week << 40 from (select floor(extract(epoch from (now() - timestamptz '2026-01-05 00:00+00')) / 604800)::bigint
       as week) w) + i, 1, {client} + i % 10, 1, 'completed', 16, 'answered', true, at, at, at + d * interval '1 second',
       d * 1000, d * 1000
  from (select i, timestamptz '2026-01-01 00:00+05:30' + i * (interval '31 days' / {n}) as at, 20 + (i * 7919) % 200 as d
          from generate_series(1, {n}::bigint) as i) calls;
insert into rollup_hour (client_id, server_id, local_date, local_hour, calls, completed, duration_ms, billsec_ms)
select client_id, server_id, (started_at at time zone 'Asia/Kolkata')::date,
       extract(hour from started_at at time zone 'Asia/Kolkata')::smallint, count(*), count(*), sum(duration_ms), sum(billsec_ms)
  from call_detail group by 1, 2, 3, 4;
analyze call_detail, rollup_hour;
"""
_PEER_DETAILS = """
insert into cdr (client_id, server_code, phone_number, started_at, duration, disposition)
select 1 + i % 10, 'server1', '9876543210', timestamptz '2026-01-01 00:00+05:30' + i * (interval '31 days' / {n}),
       20 + (i * 7919) % 200, 0
  from generate_series(1, {n}::bigint) as i;
create index on cdr (client_id, started_at) include (duration);
vacuum analyze cdr;
"""


class Load:
    """wrk on one URL; what it saw."""

    def __init__(self, base, headers):
        self.base, self.headers = base, headers

    def run(self, path, clients, seconds, *, entries=None):
        """Requests a second, p50 and p99 in ms, and how many were not answered with 200."""
        words = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "--timeout", "20s"]
        environment = {**os.environ, "KEY": self.headers["X-API-KEY"]}
        if entries is not None:
            words += ["-s", HERE / "post.lua"]
            environment.update(N=str(entries), FIRST=str(next(_batches)))
        else:
            words += [word for header in self.headers.items() for word in ("-H", ": ".join(header))]
        done = subprocess.run([*words, self.base + path], env=environment, text=True,
                              capture_output=True, check=True)
        return self._read(done.stdout)

    @staticmethod
    def _read(said):
        def ms(percentile):
            number, unit = re.search(rf"{percentile}%\s+([\d.]+)(\w+)", said).groups()
            return float(number) * SECONDS[unit] * 1000

        failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
        broken = re.search(r"Socket errors: .*", said)
        if broken:
            print(f"  {broken[0]}", file=sys.stderr)
        return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), "p50": ms(50),
                "p99": ms(99), "failed": int(failed[1]) if failed else 0}


class Field:
    """Ours, the floor and the peers behind one nginx, on one PostgreSQL."""

    def __init__(self, stack, folder):
        self.stack, self.folder = stack, Path(folder)
        self.base = stack.base_url
        self.clients = {check: self._add_client(check) for check in ("full", "syntax")}
        self.ours = self.load_of("full")
        self.hello = Load(f"{self.base}/bench", self.ours.headers)
        self.peers = {}

    def _add_client(self, check):
        """One whose calling window is as good as closed: what is measured is the API, not the dialling."""
        return self.stack.add_client(check.upper(), number_check=check, requests_per_minute=REQUESTS_PER_MINUTE,
                                     active_time_start="03:00", active_time_end="03:01")

    def load_of(self, check):
        return Load(f"{self.base}/api/v1", {"X-API-KEY": self.clients[check]["api_key"]})

    @contextlib.contextmanager
    def competitors(self, programs):
        """The floor and the peers run, and nginx knows the way to them."""
        self.stack.postgres.psql("create database peer")
        self.stack.postgres.psql((HERE / "peer/schema.sql").read_text(), database="peer")
        with contextlib.ExitStack() as running:
            self._start(running, "hello", [programs / "tests/bench/hello", self._socket("hello"), WORKERS])
            for number, (name, settings) in enumerate(PEERS.items()):
                short = f"peer{number}"
                self._start(running, short, [
                    "/usr/bin/python3", "-m", "uvicorn", "app:app", "--uds", self._socket(short),
                    "--workers", WORKERS, "--loop", "uvloop", "--http", "httptools",
                    "--no-access-log", "--log-level", "warning"],
                    **settings, PEER_DSN=self._peer_dsn())
                self.peers[name] = Load(f"{self.base}/{short}", {"X-API-KEY": "key-1"})
            self._show_nginx()
            yield

    def _socket(self, name):
        return str(self.folder / f"{name}.sock")

    def _peer_dsn(self):
        cluster = self.stack.postgres
        return f"postgresql://{cluster.superuser}@/peer?host={cluster.socket_dir}"

    def _start(self, running, name, argv, **settings):
        process = subprocess.Popen([str(word) for word in argv], cwd=HERE / "peer",
                                   env={**os.environ, **settings}, start_new_session=True)
        running.callback(process.wait)
        running.callback(process.terminate)
        wait_until(Path(self._socket(name)).exists, seconds=20, what=f"{name} listens")
        os.chmod(self._socket(name), 0o666)

    def _show_nginx(self):
        conf = self.stack.nginx.folder
        names = ["hello", *(f"peer{number}" for number in range(len(PEERS)))]
        upstreams = "".join(_UPSTREAM.format(name=name, socket=self._socket(name)) for name in names)
        text = (conf / "nginx.conf").read_text()
        (conf / "nginx.conf").write_text(text.replace("include ", upstreams + "\tinclude ", 1))
        routes = (conf / "routes.conf").read_text()
        ours = re.search(r"^location = /api/v1/clients/me \{.*\n", routes, re.M)[0]
        hello = ours.replace("/api/v1/clients/me", "/bench/hello").replace("ccs_fast", "bench_hello")
        (conf / "routes.conf").write_text(
            routes + hello + "".join(_PEER.format(name=name) for name in names[1:]))
        self.stack.nginx.stop()
        self.stack.nginx.start()


def turns(variants, rounds):
    """Every variant once a round; the median of each figure."""
    seen = {name: [] for name in variants}
    for number in range(rounds):
        for name, measure in variants.items():
            seen[name].append(measure())
            print(f"  round {number + 1}: {name}: {seen[name][-1]['rate']:.0f}/s", file=sys.stderr)
    return {name: {what: statistics.median(result[what] for result in results) for what in results[0]}
            for name, results in seen.items()}


def table(results, *, per=1, unit="requests/s"):
    first = next(iter(results.values()))["rate"]
    print(f"| | {unit} | ours / this | p50 ms | p99 ms | not 200 |\n|---|---|---|---|---|---|")
    for name, result in results.items():
        print(f"| {name} | {result['rate'] * per:,.0f} | {first / result['rate'] if result['rate'] else float('inf'):.2f} | {result['p50']:.2f} | "
              f"{result['p99']:.2f} | {result['failed']:.0f} |")
    print()


def reads(field, wanted):
    print(f"\nGET, {CLIENTS} clients:\n")
    bare, seconds = field.hello, wanted.seconds
    me = {"clients/me": lambda: field.ours.run("/clients/me", CLIENTS, seconds),
          "bare libfcgi": lambda: bare.run("/hello", CLIENTS, seconds)}
    for name in ("peer", "peer, keys cached"):
        me[f"clients/me, {name}"] = lambda load=field.peers[name]: load.run("/clients/me", CLIENTS, seconds)
    table(turns(me, wanted.rounds))
    table(turns({"monitoring/health": lambda: field.ours.run("/monitoring/health", CLIENTS, seconds),
                 "monitoring/health, peer": lambda: field.peers["peer"].run("/monitoring/health", CLIENTS, seconds)},
                wanted.rounds))


def writes(field, wanted):
    seconds = wanted.seconds
    for entries in map(int, wanted.entries.split(",")):
        clients = CLIENTS_WRITING[entries]
        path = "/queues/insertdataincallqueue/" if entries else "/queues/quickcall/"
        what = f"{entries:,} entries" if entries else "quickcall"
        for check, peer in (("syntax", "peer"), ("full", "peer, phonenumbers")):
            ours = field.load_of(check)
            print(f"\nPOST {what}, {clients} clients, number_check={check}:\n")
            table(turns({check: lambda: ours.run(path, clients, seconds, entries=entries),
                         peer: lambda: field.peers[peer].run(path, clients, seconds, entries=entries)},
                        wanted.rounds), per=max(entries, 1), unit="rows/s")


def summary(field, wanted):
    database = field.stack.postgres
    client = field.clients["full"]["client_id"]
    database.psql(_OUR_DETAILS.format(n=wanted.details, client=client), database="ccs")
    database.psql(_PEER_DETAILS.format(n=wanted.details), database="peer")
    print(f"\nSummary over 31 days of {wanted.details:,} call details, ten clients, 4 at once:\n")
    path = "/client-call-details/summary?start_date=2026-01-01&end_date=2026-01-31"
    table(turns({"summary": lambda: field.ours.run(path, 4, wanted.seconds),
                 "peer": lambda: field.peers["peer"].run(path, 4, wanted.seconds)}, wanted.rounds))


def starved(field, wanted):
    """How many of MANY clients that keep their connections had no answer for the last second."""
    place, answered, stop = urlsplit(field.base), [0.0] * MANY, threading.Event()
    context = ssl.create_default_context(cafile=field.stack.folder / "tls/ca.pem")

    def client(number):
        line = http.client.HTTPSConnection(place.hostname, place.port, context=context, timeout=30)
        while not stop.is_set():
            line.request("GET", "/api/v1/clients/me", headers=field.ours.headers)
            line.getresponse().read()
            answered[number] = time.monotonic()

    crowd = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(MANY)]
    for one in crowd:
        one.start()
    time.sleep(wanted.seconds)  # the load itself: nothing is waited for
    now = time.monotonic()
    print(f"\nOf {MANY} clients with kept connections {sum(now - last > 1 for last in answered)} had no answer for a second.")
    stop.set()
    for one in crowd:
        one.join()


PARTS = {"reads": reads, "starved": starved, "writes": writes, "summary": summary}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, default=Path("build/release"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--only", default=",".join(PARTS), help="which parts, by comma")
    parser.add_argument("--entries", default=",".join(map(str, CLIENTS_WRITING)), help="which sizes of what is written, by comma")
    parser.add_argument("--details", type=int, default=1_000_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ccs-bench-") as folder:
        os.chmod(folder, 0o755)  # nginx's workers have another account
        stack = Stack.up(Path(folder) / "stack", Plan(programs=str(wanted.programs), channels=10, settings=NO_WALL),
                         Teller(sys.stderr))
        try:
            field = Field(stack, folder)
            with field.competitors(wanted.programs):
                for part in wanted.only.split(","):
                    PARTS[part](field, wanted)
        finally:
            stack.down()


if __name__ == "__main__":
    main()
