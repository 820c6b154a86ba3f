"""A do-not-call list of a million numbers: loaded in the memory that a small one takes, loaded again, asked, written out."""
import json
import subprocess
import sys

import pytest
from places import PROGRAMS, ROOT

sys.path.append(str(ROOT / "tests/system"))
from pg_cluster import Server  # noqa: E402  (found by the line above)

NUMBERS = 1_000_000
FLAT_KB = 4 * 1024  # what ccsctl may grow by for 14 MB


@pytest.fixture(scope="module")
def db():
    server = Server()
    try:
        yield server.database()
    finally:
        server.close()


def numbers_in(path, count):
    path.write_text("".join(f"+9198{i:08d}\n" for i in range(count)))
    return path


# Between pytest and ccsctl: a process begins with the peak of the one that has started it.
MEASURED = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""


def peak_kb(db, out, *words):
    """The most that ccsctl has had in memory; what it wrote is in out."""
    with out.open("w") as written:
        done = subprocess.run([sys.executable, "-c", MEASURED, PROGRAMS / "ccsctl", "-c", db.conf, *map(str, words)],
                              stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.splitlines()[-1])


def load(db, tmp_path, path, client, count, added):
    receipt = tmp_path / "receipt.json"
    peak = peak_kb(db, receipt, "dnc", "load", path, client, "--json")
    said = json.loads(receipt.read_text())
    assert (said["read"], said["added_count"], said["rejected_count"]) == (count, added, 0), said
    return peak


def test_U16_a_million_numbers_are_loaded_in_flat_memory_and_asked_by_key(db, tmp_path, capsys):
    db.add_client("SMALL")
    client = db.add_client("MILLION")
    small = load(db, tmp_path, numbers_in(tmp_path / "small.txt", 10_000), "SMALL", 10_000, 10_000)
    path = numbers_in(tmp_path / "million.txt", NUMBERS)
    for added in (NUMBERS, 0):
        grown = load(db, tmp_path, path, "MILLION", NUMBERS, added) - small
        with capsys.disabled():
            print(f"\nccsctl dnc load: {grown} kB more at its peak for {added} new of {NUMBERS} numbers")
        assert grown < FLAT_KB
    assert db.value("select numbers from dnc_list where client_id = %s", client) == NUMBERS
    listed = "select array_agg(list order by ord) from dnc_listed(array[%s, %s]::bigint[], array[null, null]::bigint[], array[%s, %s])"
    assert db.value(listed, client, client, "919800000007", "919900000007") == ["client"]

    out = tmp_path / "list.csv"
    grown = peak_kb(db, out, "dnc", "export", "MILLION") - small
    with capsys.disabled():
        print(f"ccsctl dnc export: {grown} kB more at its peak")
    assert grown < FLAT_KB
    with out.open() as lines:
        assert sum(1 for line in lines) == NUMBERS + 1  # and the names of the columns
