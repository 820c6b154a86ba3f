#!/usr/bin/python3
"""What one tenant feels of another's attack: its latency, alone and meanwhile, behind nginx's default limits.

    tests/bench/wall.py [--programs build/release] [--rounds 5] [--seconds 3] [--only keys,unlimited,batches]

The attacks come from another address of the same machine, and from programs that are nice to everybody else on its
cores, as a distant attacker is: who sends them does not cost the victim its cores, only what they make us do. With and without them take turns, medians of the rounds: what else goes on
there disturbs both alike. Prints Markdown, for docs/BENCHMARKS.md.
"""
import argparse
import collections
import contextlib
import http.client
import itertools
import json
import multiprocessing
import os
import ssl
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy"), str(ROOT / "tests"), str(ROOT / "tests/system")]

from live import Live  # noqa: E402
from stack import numbers  # noqa: E402
from stack.progress import Teller  # noqa: E402
from stack.stack import Plan, Stack  # noqa: E402
from test_wall import ATTACKER, ME, kept, random_key  # noqa: E402
from walls import address, connect, read_answer, wall  # noqa: E402

PAUSE_S = 0.01  # between two requests of the victim
KEYS = 10_000
BODY_BYTES = 16 << 20
NICE = 19
NO_WALL = dict.fromkeys(("reads_per_second", "inserts_per_second", "key_requests_per_second"), 1_000_000)
READS = {"GET /clients/me": "/clients/me", "GET /monitoring/callingsummary": "/monitoring/callingsummary"}


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def latencies(gate, key, path, seconds):
    """Milliseconds of each request over one kept connection."""
    context = ssl.create_default_context(cafile=gate.ca_file)
    line = http.client.HTTPSConnection(*address(gate.base_url), context=context)
    taken, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        line.request("GET", f"/api/v1{path}", headers={"X-API-KEY": key})
        reply = line.getresponse()
        reply.read()
        taken.append((time.perf_counter() - began) * 1000)
        if reply.status != 200:
            sys.exit(f"{path}: {reply.status}")
        time.sleep(PAUSE_S)
    line.close()
    return taken


def fire(url, requests, ready, told):
    """Sends requests over one kept connection, again and again, until it is ended; counts statuses in told."""
    os.nice(NICE)
    with connect(url, source=ATTACKER) as sock, sock.makefile("rb") as reply:
        ready.set()
        while True:
            for request in requests:
                sock.sendall(request)
                told[read_answer(reply)[0]] += 1


@contextlib.contextmanager
def attack(gate, per_connection):
    """The statuses that came back, while the with block lasts. per_connection: the requests of each."""
    context = multiprocessing.get_context("spawn")
    statuses = collections.Counter()
    ready = [context.Event() for _ in per_connection]
    told = [context.RawArray("L", 600) for _ in per_connection]
    children = [context.Process(target=fire, args=(gate.base_url, requests, event, counts), daemon=True)
                for requests, event, counts in zip(per_connection, ready, told)]
    for child in children:
        child.start()
    for event in ready:
        event.wait()
    try:
        yield statuses
    finally:
        for child in children:
            child.kill()
            child.join()
        for counts in told:
            statuses.update({status: count for status, count in enumerate(counts) if count})


def batches(client):
    """Requests that insert 16 MiB each, every one under a batch_id of its own."""
    entries = []
    for i, phone in enumerate(numbers.numbers("busy", 100_000)):
        entries.append(json.dumps({"phone_number": phone, "custom_data": {"n": i, "text": "x" * 111}}))
    data = ",".join(entries)[:BODY_BYTES - 100].rpartition(",{\"phone")[0]
    for batch_id in itertools.count(1):
        body = f'{{"batch_id":{batch_id},"data":[{data}]}}'.encode()
        yield kept("/api/v1/queues/insertdataincallqueue", f"X-API-KEY: {client.key}",
                   f"Content-Length: {len(body)}", method="POST") + body


def peak_kib(live, pool):
    """The most memory that any worker of a pool has had."""
    peaks = [0]
    for pid in live.children("api"):
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        if status["Name"].strip().endswith(pool):
            peaks.append(int(status["VmHWM"].split()[0]))
    return max(peaks)


def measure(live, victim, attacker, options, wanted):
    """One line for each kind of read."""
    name, requests = attacker
    with wall(live, **options) as gate:
        for title, path in READS.items():
            alone, meanwhile, statuses = [], [], collections.Counter()
            for _ in range(wanted.rounds):
                alone.append(latencies(gate, victim.key, path, wanted.seconds))
                with attack(gate, requests()) as seen:
                    meanwhile.append(latencies(gate, victim.key, path, wanted.seconds))
                statuses.update(seen)
            a50, a99, m50, m99 = (statistics.median(percentile(taken, part) for taken in rounds)
                                  for rounds in (alone, meanwhile) for part in (0.5, 0.99))
            seconds = wanted.rounds * wanted.seconds
            answers = ", ".join(f"{count / seconds:,.1f} × {status}" for status, count in sorted(statuses.items()))
            print(f"| {name} | {title} | {a50:.2f} | {m50:.2f} | {a99:.2f} | {m99:.2f} | {m99 / a99:.1f} "
                  f"| {answers} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", default="build/release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--only", default="keys,unlimited,batches", help="which attacks, by comma")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ccs-bench-") as folder:
        built = Stack.up(folder, Plan(programs=wanted.programs, farm={}), Teller(sys.stderr))
        try:
            live = Live(built)
            victim, other = live.new_client("VICTIM"), live.new_client("ATTACKER")
            print("| attack, from another address | request | p50 alone ms | p50 meanwhile | p99 alone | "
                  "p99 meanwhile | × | answers a second |\n|---|---|---|---|---|---|---|---|")
            keys = [kept(ME, f"X-API-KEY: {random_key()}") for _ in range(KEYS)]
            spread, large = [keys[i::4] for i in range(4)], batches(other)
            parts = {"keys": ((f"{KEYS:,} random keys", lambda: spread), {}),
                     "unlimited": (("the same without limits", lambda: spread), NO_WALL),
                     "batches": (("batches of 16 MiB, one after the other",
                                  lambda: [list(itertools.islice(large, 8))]), {})}
            for part in wanted.only.split(","):
                measure(live, victim, *parts[part], wanted)
            print(f"\nMost memory of a sql worker: {peak_kib(live, 'sql') / 1024:.0f} MB; "
                  f"a body of {len(next(large)) / 1e6:.1f} MB.")
        finally:
            built.down()


if __name__ == "__main__":
    main()
