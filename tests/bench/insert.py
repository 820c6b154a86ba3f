#!/usr/bin/python3
"""Batch insert by size: entries a second over HTTPS, beside a bare binary COPY of the same rows into the same table; and
how fast the body is read, beside jansson.

    tests/bench/insert.py [--programs build/release] [--rounds 15]

Numbers are checked by syntax, as the floor does. Prints Markdown, for docs/BENCHMARKS.md.
"""
import argparse
import http.client
import io
import json
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy"))

import psycopg2  # noqa: E402
from stack import proc  # noqa: E402
from stack.progress import Teller  # noqa: E402
from stack.stack import Plan, Stack  # noqa: E402

INSERT = "/api/v1/queues/insertdataincallqueue/"
SIZES = (1, 100, 1_000, 2_000, 10_000, 100_000)

# The partition into which inserts go at the moment.
_LEAF = "select 'entry_p' || (nextval('chunk_id_seq') >> 30)"
_COLUMNS = "entry_id, client_id, queue_master_id, phone_number, number, e164, country_digits, number_type, region, custom_data"
_NULL = struct.pack(">i", -1)
_HEAD, _END = b"PGCOPY\n\xff\r\n\0" + bytes(8), struct.pack(">h", -1)


def body_of(batch_id, count):
    data = [{"phone_number": f"98765{i:05d}",
             "custom_data": {"customer_id": f"CUST{i:05d}", "campaign_id": "CAMP001"}}
            for i in range(count)]
    return json.dumps({"batch_id": batch_id, "data": data}).encode()


class Line:
    """One kept connection, as an integrator's HTTP library has it."""

    def __init__(self, stack, api_key):
        context = ssl.create_default_context(cafile=stack.folder / "tls/ca.pem")
        place = urlsplit(stack.base_url)
        self._connection = http.client.HTTPSConnection(place.hostname, place.port, context=context)
        self._headers = {"X-API-KEY": api_key, "Content-Type": "application/json"}

    def insert(self, body):
        self._connection.request("POST", INSERT, body, self._headers)
        reply = self._connection.getresponse()
        text = reply.read()
        if reply.status != 200:
            sys.exit(f"insert: {reply.status} {text[:200]!r}")
        return json.loads(text)["inserted_count"]


def insert_s(line, count, batch_ids):
    body = body_of(next(batch_ids), count)
    start = time.perf_counter()
    inserted = line.insert(body)
    took = time.perf_counter() - start
    if inserted != count:
        sys.exit(f"{inserted} of {count} entries were inserted")
    return took


def copy_row(entry_id, i):
    """One entry in COPY's binary form, as an insert stores it."""
    number = b"98765%05d" % i
    columns = [struct.pack(">q", value) for value in (entry_id, 1, 1)]
    columns += [number, number, None, None, None, None, b'{"customer_id": "CUST%05d", "campaign_id": "CAMP001"}' % i]
    return struct.pack(">h", len(columns)) + b"".join(
        _NULL if one is None else struct.pack(">i", len(one)) + one for one in columns)


def bare_copy_s(cursor, count):
    """A COPY of the same rows, by chunks as an insert has them."""
    cursor.execute(_LEAF)
    [leaf] = cursor.fetchone()
    cursor.execute("select nextval('chunk_id_seq') from generate_series(0, %s)", [(count - 1) // 1024])
    chunks = [chunk for chunk, in cursor.fetchall()]
    rows = io.BytesIO(_HEAD + b"".join(copy_row(chunks[i // 1024] * 1024 + i % 1024, i) for i in range(count)) + _END)
    start = time.perf_counter()
    cursor.copy_expert(f"copy {leaf} ({_COLUMNS}) from stdin (format binary)", rows, 1 << 17)
    return time.perf_counter() - start


def scan_lines(programs):
    for count in (1_000, 10_000):
        done = subprocess.run([Path(programs) / "tests/bench/bench_scan", str(count)],
                              capture_output=True, text=True, check=True)
        yield json.loads(done.stdout)


def measure(line, dsn, rounds):
    """The two take turns: what else goes on there disturbs both alike."""
    batch_ids = iter(range(time.time_ns() // 1000, 2**53))
    db = psycopg2.connect(dsn)
    db.autocommit = True
    print("| entries | insert, median ms | entries/s | bare binary COPY ms | COPY / insert |")
    print("|---|---|---|---|---|")
    with db.cursor() as cursor:
        for count in SIZES:
            for _ in range(8):  # warm: connections, prepared statements
                insert_s(line, count, batch_ids)
            turns = [(insert_s(line, count, batch_ids), bare_copy_s(cursor, count))
                     for _ in range(max(3, min(rounds, 400_000 // count)))]
            took, floor = (statistics.median(times) for times in zip(*turns))
            print(f"| {count:,} | {took * 1e3:.2f} | {count / took:,.0f} | {floor * 1e3:.2f} "
                  f"| {statistics.median(bare / insert for insert, bare in turns):.2f} |", flush=True)
    db.close()


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--programs", default="build/release")
    options.add_argument("--rounds", type=int, default=15)
    asked = options.parse_args()

    print("| body of | bytes | scanner ms | MB/s | jansson ms | ratio | us a number in its plan |")
    print("|---|---|---|---|---|---|---|")
    for scan in scan_lines(asked.programs):
        print(f"| {scan['entries']:,} entries | {scan['bytes']:,} | {scan['scan_us'] / 1e3:.2f} "
              f"| {scan['scan_mb_s']} | {scan['jansson_us'] / 1e3:.2f} | {scan['ratio']} "
              f"| {scan['number_us_each']} |")
    print(flush=True)
    with tempfile.TemporaryDirectory(prefix="ccs-bench-") as folder:
        stack = Stack.up(folder, Plan(programs=asked.programs), Teller(sys.stderr))
        try:
            client = stack.add_client("SYNTAX", number_check="syntax", requests_per_minute=1_000_000)
            measure(Line(stack, client["api_key"]), stack.superuser_dsn(), asked.rounds)
        finally:
            stack.down()


if __name__ == "__main__":
    try:
        main()
    except proc.StackError as error:
        sys.exit(str(error))
