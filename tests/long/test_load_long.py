"""A CSV file of a million entries, by HTTP and by ccsctl, in the memory that a small one takes."""
import json
import subprocess
import threading
from pathlib import Path

import pytest

ENTRIES = 1_000_000
FLAT_KB = 16 * 1024  # what a worker may grow by while it reads 60 MB


@pytest.fixture(scope="module")
def million(tmp_path_factory):
    path = tmp_path_factory.mktemp("load") / "million.csv"
    with path.open("w", encoding="utf-8") as out:
        out.write("phone_number,name,city,note\n")
        for i in range(ENTRIES):
            out.write(f'9{i:09},Somebody {i},"Neu-Delhi, {i % 100}",called before\n')
    return path


@pytest.fixture(scope="module")
def loader(stack):
    return stack.new_client("MILLION", number_check="syntax")


def peak_kb(pid) -> int:
    """The most that the process has had in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def load(stack, client, batch_id, path):
    """By curl, which waits as long as it takes."""
    done = subprocess.run(["curl", "-sS", "--cacert", stack.ca_file, "-m", "900", "-H", f"X-API-KEY: {client.key}", "-H",
                           "Content-Type: text/csv", "--data-binary", f"@{path}",
                           f"{stack.base_url}/api/v1/queues/batches/{batch_id}/entries"], capture_output=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["inserted_count"] == path.read_bytes().count(b"\n") - 1 and answer["rejected_count"] == 0, answer
    return answer["queue_id"]


def sql_workers(stack):
    return [one["pid"] for one in stack.ctl_json("workers", "show")["workers"] if one["pool"] == "sql"]


def test_a_million_entries_by_http_in_flat_memory(stack, loader, million, capsys):
    pids = sql_workers(stack)
    before = {pid: peak_kb(pid) for pid in pids}
    queue_id = load(stack, loader, 1, million)
    grown = max(peak_kb(pid) - before[pid] for pid in pids)
    with capsys.disabled():
        print(f"\nworker: {grown} kB more at its peak for {ENTRIES} entries, {million.stat().st_size // 1024} kB")
    assert grown < FLAT_KB
    [[entries, chunks, numbers]] = stack.sql("""
        select (select count(*) from entry where queue_master_id = %(id)s), (select open_chunks from queue_master where id = %(id)s),
               (select count(distinct number) from entry where queue_master_id = %(id)s)""", id=queue_id)
    assert (entries, numbers) == (ENTRIES, ENTRIES) and chunks == -(-ENTRIES // 1024)


def test_a_million_entries_by_ccsctl_in_flat_memory(stack, loader, million, capsys):
    ccs = stack.stack.ccs
    command = [ccs.programs / "ccsctl", "-c", ccs.conf, "batch", "load", loader.accountcode, "-", "--format=csv"]

    def run(batch_id, body) -> int:
        """Peak of a ccsctl, read when it has been given all but the last byte."""
        with subprocess.Popen([*command, f"--batch-id={batch_id}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as ctl:
            told = []
            reader = threading.Thread(target=lambda: told.extend(ctl.stderr))
            reader.start()
            ctl.stdin.write(body[:-1])
            ctl.stdin.flush()
            peak = peak_kb(ctl.pid)
            ctl.stdin.write(body[-1:])
            ctl.stdin.close()
            said = ctl.stdout.read().decode()
            reader.join()
        entries = body.count(b"\n") - 1
        assert ctl.returncode == 0 and f"{entries} entries, 0 rejected" in said and len(told) == entries // 100_000
        return peak

    body = million.read_bytes()
    small = run(2, b"".join(body.splitlines(keepends=True)[:20001]))
    large = run(3, body)
    with capsys.disabled():
        print(f"\nccsctl: {small} kB for 20,000 entries, {large} kB for {ENTRIES}")
    assert large - small < FLAT_KB
