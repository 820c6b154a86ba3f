#!/usr/bin/python3
"""Events to WebSocket subscribers: ccs-relay beside Python's websockets.broadcast on uvloop.

    tests/bench/ws.py [--programs build/release] [--subscribers 100 1000] [--seconds 5]

Both over Unix sockets, as nginx would connect, with the same text; the subscribers are one C program.
Prints Markdown, for docs/BENCHMARKS.md.
"""
import argparse
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "deploy"))

from stack.proc import wait_until  # noqa: E402

WINDOW = 8
DELIVERIES_S = 20_000  # of the phase that measures latency


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(argv, socket):
    """The program, once it listens."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        wait_until(Path(socket).exists, seconds=10, what=f"{socket} is there")
        yield process
    finally:
        process.terminate()
        process.wait()


def measure(load, server, socket):
    """What the load said about the server, with the server's own processor time."""
    with subprocess.Popen([str(word) for word in load], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as loading:
        try:
            assert loading.stdout.readline() == "ready\n", f"{load[0]} did not start"
            with running(server, socket) as serving:
                loading.stdin.write("\n")
                loading.stdin.flush()
                result = json.loads(loading.stdout.readline())
                result["cpu_us"] = cpu_seconds(serving.pid) * 1e6 / result["deliveries"]
        finally:
            loading.kill()
    return result


def measure_relay(programs, folder, numbers):
    conf = folder / "ccs.conf"
    conf.write_text(f"[common]\nnode = bench-{secrets.token_hex(4)}\nrun_dir = {folder}\n"
                    "[relay]\nconnections_per_client = 65536\nconnections = 16384\n")
    return measure([programs / "tests/bench/ws_load", "relay", conf, *numbers],
                   [programs / "ccs-relay", "-c", conf], folder / "relay.sock")


def measure_peer(programs, folder, numbers):
    sockets = [folder / "peer.sock", folder / "publish.sock"]
    return measure([programs / "tests/bench/ws_load", "peer", *sockets, *numbers],
                   ["/usr/bin/python3", HERE / "ws_peer.py", *sockets], sockets[1])


def row(name, count, result):
    return (f"| {name} | {count:,} | {result['deliveries_s']:,.0f} | {result['cpu_us']:.2f} "
            f"| {result['p50_us'] / 1000:.1f} | {result['p99_us'] / 1000:.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", default="build/release", type=Path)
    parser.add_argument("--subscribers", default=[100, 1000], type=int, nargs="+")
    parser.add_argument("--seconds", default=5, type=float)
    args = parser.parse_args()
    print("| server | subscribers | deliveries/s | us of its CPU each | p50 ms | p99 ms |")
    print("|---|---|---|---|---|---|")
    for count in args.subscribers:
        numbers = [count, args.seconds, WINDOW, DELIVERIES_S / count]
        results = []
        for name, run in (("ccs-relay", measure_relay), ("websockets.broadcast", measure_peer)):
            with tempfile.TemporaryDirectory(prefix="ccs-ws-") as folder:
                results.append(run(args.programs, Path(folder), numbers))
            print(row(name, count, results[-1]), flush=True)
        print(f"| ratio | {count:,} | "
              f"{results[0]['deliveries_s'] / results[1]['deliveries_s']:.1f} | | | |", flush=True)


main()
