#!/usr/bin/python3
"""From a request to the phone: latency, batch insert, footprint, each beside its floor on the same machine.

    tests/bench/calls.py [--programs build/release] [--calls 1000]

Prints Markdown, for docs/BENCHMARKS.md. The floors are what nobody can undercut with the same guarantees on this
machine: two commits of one row (the call's and its journal's), and a COPY of the same rows into a bare table.
"""
import argparse
import http.client
import io
import json
import ssl
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy"))

import psycopg2  # noqa: E402
from stack import numbers, proc  # noqa: E402
from stack.progress import Teller  # noqa: E402
from stack.stack import Plan, Stack  # noqa: E402

PAUSE_S = 0.04  # between calls: a free channel, an idle server
INSERTS = 200  # so that the 99th percentile is not the slowest one
ENTRIES = 1000


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def row(name, values_ms, floor_ms):
    p50, p99 = (percentile(values_ms, part) for part in (0.5, 0.99))
    floor50, floor99 = (percentile(floor_ms, part) for part in (0.5, 0.99))
    return (f"| {name} | {len(values_ms)} | {p50:.2f} | {p99:.2f} | {floor50:.2f} | {floor99:.2f} | {p50 / floor50:.1f} |"
            f" {p99 / floor99:.1f} |")


class Line:
    """One kept connection, as an integrator's HTTP library has it."""

    def __init__(self, stack):
        context = ssl.create_default_context(cafile=stack.folder / "tls/ca.pem")
        place = urlsplit(stack.base_url)
        self.conn = http.client.HTTPSConnection(place.hostname, place.port, context=context)
        self.headers = {"X-API-KEY": stack.tenant["api_key"], "Content-Type": "application/json"}

    def post(self, path, body):
        self.conn.request("POST", f"/api/v1{path}", body=json.dumps(body), headers=self.headers)
        reply = self.conn.getresponse()
        text = reply.read()
        if reply.status != 200:
            sys.exit(f"{path}: {reply.status} {text[:200]!r}")
        return json.loads(text)


def bare_commits_ms(db, count):
    """Two rows, two commits, one connection, with the same pauses: a disk and a processor that rest take longer."""
    cursor = db.cursor()
    cursor.execute("create table bench_commit (id bigint primary key, payload text)")
    db.commit()
    taken = []
    for i in range(count):
        began = time.perf_counter()
        for k in (2 * i, 2 * i + 1):
            cursor.execute("insert into bench_commit values (%s, 'a row as long as an attempt has')", (k,))
            db.commit()
        taken.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE_S)
    cursor.execute("drop table bench_commit")
    db.commit()
    return taken


def bare_copy_ms(db):
    """The rows of a batch by COPY into a table with the same key, one commit."""
    cursor = db.cursor()
    cursor.execute("create table bench_copy (id bigint primary key, client bigint, master bigint, phone text, number text,"
                   " e164 text, digits smallint, custom text)")
    db.commit()
    taken = []
    for batch in range(INSERTS):
        text = "".join(f"{batch * ENTRIES + i}\t1\t1\t9000050{i:03}\t9000050{i:03}\t919000050{i:03}\t2\t{{}}\n"
                       for i in range(ENTRIES))
        began = time.perf_counter()
        cursor.copy_expert("copy bench_copy from stdin", io.StringIO(text))
        db.commit()
        taken.append((time.perf_counter() - began) * 1000)
    cursor.execute("drop table bench_copy")
    db.commit()
    return taken


def measure_calls(stack, db, count):
    """Milliseconds from the first byte of a quick call's request to the first byte of its Originate."""
    line = Line(stack)
    began = {}
    for phone in numbers.numbers("busy", count):
        at = time.time()
        answer = line.post("/queues/quickcall/", {"phone_number": phone})
        began[int(answer["call_id"][4:18], 16)] = at
        time.sleep(PAUSE_S)
    cursor = db.cursor()

    def all_there():
        cursor.execute("select count(*) from call_detail where entry_id = any(%s)", (list(began),))
        db.commit()
        return cursor.fetchone()[0] == count

    proc.wait_until(all_there, seconds=60, what="every quick call has ended")
    cursor.execute("select entry_id, extract(epoch from started_at)::float8 from call_detail where entry_id = any(%s)",
                   (list(began),))
    taken = [(started - began[entry]) * 1000 for entry, started in cursor.fetchall()]
    db.commit()
    return taken


def measure_inserts(stack):
    line = Line(stack)
    taken = []
    for batch in range(1, INSERTS + 1):
        data = [{"phone_number": phone, "custom_data": {"customer_id": f"C{i:04}", "campaign_id": "BENCH"}}
                for i, phone in enumerate(numbers.numbers("busy", ENTRIES, seed=batch % 10))]
        body = {"batch_id": batch, "data": data}
        began = time.perf_counter()
        line.post("/queues/insertdataincallqueue/", body)
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def pss_kib(pid):
    """Proportional memory of a process, without the segment."""
    total, counts = 0, True
    for text in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if "-" in text.split(" ", 1)[0]:
            counts = "/dev/shm/" not in text
        elif text.startswith("Pss:") and counts:
            total += int(text.split()[1])
    return total


def family(pid):
    kids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for kid in kids for member in family(int(kid)))]


def footprint(stack):
    processes = stack.processes()
    return {name: [pss_kib(pid) for pid in family(processes[name].pid())] for name in ("api", "dispatcher", "relay")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", default="build/release")
    parser.add_argument("--calls", type=int, default=1000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ccs-bench-") as folder:
        plan = Plan(programs=wanted.programs, channels=200, rate_limit=1_000_000)
        stack = Stack.up(folder, plan, Teller(sys.stderr))
        try:
            idle = footprint(stack)
            db = psycopg2.connect(stack.superuser_dsn())
            commits, copies = bare_commits_ms(db, wanted.calls), bare_copy_ms(db)
            calls, inserts = measure_calls(stack, db, wanted.calls), measure_inserts(stack)
            db.close()
        finally:
            stack.down()
    print("| from | n | p50 ms | p99 ms | floor p50 | floor p99 | p50 / floor | p99 / floor |\n|---|---|---|---|---|---|---|---|")
    print(row("quick call over HTTPS to Originate bytes (floor: two bare commits)", calls, commits))
    print(row(f"insert of {ENTRIES} entries over HTTPS (floor: COPY into a bare table)", inserts, copies))
    print(f"\nIdle memory, PSS without the segment: {sum(map(sum, idle.values())) / 1024:.1f} MB "
          + ", ".join(f"{name} {len(kib)} processes {sum(kib) / 1024:.1f} MB" for name, kib in idle.items()) + ".")


if __name__ == "__main__":
    main()
