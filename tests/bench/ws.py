#!/usr/bin/python3
"""Events to WebSocket subscribers: ccs-relay beside what else could do it.

    tests/bench/ws.py [--programs build/release] [--subscribers 100 1000] [--seconds 5] [--crowd 5000]

Direct, over Unix sockets as nginx would connect, with the same text; the subscribers are one C program. Peers: a bare epoll
broadcaster in C (ws_bare.c), Python's websockets.broadcast on uvloop, a FastAPI send loop, Node's ws. Then a crowd: what an
idle connection takes, what one in ten who never reads does to the others, and how long it takes when all come back at
once. Prints Markdown, for docs/BENCHMARKS.md.
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
BEHIND = 400  # events that everybody has missed in the storm
PYTHON = "/usr/bin/python3"
PEERS = {
    "bare epoll loop": lambda programs, sockets: ([programs / "tests/bench/ws_bare", *sockets], {}),
    "websockets.broadcast": lambda programs, sockets: ([PYTHON, HERE / "peer/ws_broadcast.py", *sockets], {}),
    "FastAPI send loop": lambda programs, sockets: (
        [PYTHON, "-m", "uvicorn", "--app-dir", HERE / "peer", "--uds", sockets[0], "--log-level", "error", "--ws", "websockets",
         "--ws-per-message-deflate", "false", "--ws-ping-interval", "3600", "ws_fastapi:app"], {"PUBLISH": str(sockets[1])}),
    "Node ws": lambda programs, sockets: (["node", HERE / "peer/ws_node.js", *sockets], {"NODE_PATH": "/usr/share/nodejs"}),
}


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kb(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


@contextlib.contextmanager
def running(argv, socket, env):
    """The program, once it listens."""
    process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, env={**os.environ, **env})
    try:
        wait_until(Path(socket).exists, seconds=20, what=f"{socket} is there")
        yield process
    finally:
        process.terminate()
        process.wait()


def measure(load, server, socket, *, env=None, deaf=False):
    """What the load said about the server, with the server's own processor time and memory."""
    env = {**(env or {}), **({"DEAF": "1"} if deaf else {})}
    with subprocess.Popen([str(word) for word in load], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, **env}) as loading:
        def after(word):
            assert loading.stdout.readline() == f"{word}\n", f"{load[0]} has ended"

        def go_on():
            loading.stdin.write("\n")
            loading.stdin.flush()

        try:
            after("ready")
            with running(server, socket, env) as serving:
                empty = memory_kb(serving.pid)
                go_on()
                after("joined")
                joined, spent = memory_kb(serving.pid), cpu_seconds(serving.pid)
                go_on()
                result = json.loads(loading.stdout.readline())
                result["cpu_us"] = (cpu_seconds(serving.pid) - spent) * 1e6 / result["deliveries"]
                result["idle_kb"], result["grown_kb"] = joined - empty, memory_kb(serving.pid) - joined
        finally:
            loading.kill()
    return result


@contextlib.contextmanager
def relay_of(programs):
    with tempfile.TemporaryDirectory(prefix="ccs-ws-") as folder:
        conf = Path(folder) / "ccs.conf"
        conf.write_text(f"[common]\nnode = bench-{secrets.token_hex(4)}\nrun_dir = {folder}\n"
                        "[relay]\nconnections_per_client = 65536\nconnections = 16384\nping_seconds = 60\nhangup_seconds = 300\n")
        yield conf, [programs / "ccs-relay", "-c", conf], Path(folder) / "relay.sock"


def measure_relay(programs, numbers, **how):
    with relay_of(programs) as (conf, server, socket):
        return measure([programs / "tests/bench/ws_load", "relay", conf, *numbers], server, socket, **how)


def measure_peer(programs, name, numbers):
    with tempfile.TemporaryDirectory(prefix="ccs-ws-") as folder:
        sockets = [Path(folder) / "peer.sock", Path(folder) / "publish.sock"]
        server, env = PEERS[name](programs, sockets)
        return measure([programs / "tests/bench/ws_load", "peer", *sockets, *numbers], server, sockets[1], env=env)


def row(name, count, result, ratio):
    return (f"| {name} | {count:,} | {result['deliveries_s']:,.0f} | {result['cpu_us']:.2f} "
            f"| {result['p50_us'] / 1000:.1f} | {result['p99_us'] / 1000:.1f} | {ratio} |")


def compare(programs, counts, seconds):
    print("| server, direct | subscribers | deliveries/s | us of its CPU each | p50 ms | p99 ms | relay has |")
    print("|---|---|---|---|---|---|---|")
    for count in counts:
        numbers = [count, seconds, WINDOW, DELIVERIES_S / count]
        ours = measure_relay(programs, numbers)
        print(row("ccs-relay", count, ours, ""), flush=True)
        for name in PEERS:
            theirs = measure_peer(programs, name, numbers)
            ratio = f"{ours['deliveries_s'] / theirs['deliveries_s']:.2f} x, p99 {ours['p99_us'] / theirs['p99_us']:.2f} x"
            print(row(name, count, theirs, ratio), flush=True)


def crowd(programs, count, seconds):
    numbers = [count, seconds, WINDOW, DELIVERIES_S / count]
    all_read, deaf = (measure_relay(programs, numbers, deaf=deaf) for deaf in (False, True))
    print(f"\n{count:,} connections: {all_read['idle_kb'] / count:.2f} KiB of the relay's own memory each, idle; "
          f"p99 {all_read['p99_us'] / 1000:.1f} ms.")
    print(f"One in ten never reads: p99 of the others {deaf['p99_us'] / 1000:.1f} ms, memory grew by {deaf['grown_kb'] / 1024:.1f} MiB "
          f"({all_read['grown_kb'] / 1024:.1f} when all read).", flush=True)
    with relay_of(programs) as (conf, server, socket):
        storm = measure([programs / "tests/bench/ws_load", "storm", conf, count, BEHIND], server, socket)
    print(f"All come back at once with resume_from, {BEHIND} events behind: connected after {storm['joined_ms'] / 1000:.2f} s, caught up "
          f"after {storm['caught_up_ms'] / 1000:.2f} s ({storm['deliveries']:,} events).", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", default="build/release", type=Path)
    parser.add_argument("--subscribers", default=[100, 1000], type=int, nargs="*")
    parser.add_argument("--seconds", default=5, type=float)
    parser.add_argument("--crowd", default=5000, type=int)
    args = parser.parse_args()
    compare(args.programs, args.subscribers, args.seconds)
    if args.crowd:
        crowd(args.programs, args.crowd, args.seconds)


main()
