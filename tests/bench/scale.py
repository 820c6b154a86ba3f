#!/usr/bin/python3
"""Large numbers: entries that wait, clients and servers in the directory, calls under way; memory, and a restart.

    tests/bench/scale.py [--programs build/release]

Prints Markdown, for docs/BENCHMARKS.md. What waits and the clients are written to PostgreSQL directly; servers are a farm's,
and calls are made.
"""
import json
import subprocess
import sys
import time
from pathlib import Path

import dialling

_CLIENTS = """
insert into client (name, accountcode, did, phone_number, callbackurl, timezone, region, allocated_channels, rate_limit,
                    active_time_start, active_time_end, number_check)
select 'Client ' || i, 'MANY' || i, '911140000001', '911140000001', '', 'Asia/Kolkata', 'IN', 10, 20 + i %% 100, '00:00', '00:00', 'syntax'
  from generate_series(1, %s) i;
insert into allocation (client_id, server_id, allowed_active_calls, rate_limit)
select c.id, s.id, 1, c.rate_limit from (select id, rate_limit, row_number() over () as k from client where accountcode like 'MANY%%') c
  join (select id, row_number() over () - 1 as k, count(*) over () as n from server) s on s.k = c.k %% s.n;
"""

# A chunk for each of them, dispatched, of numbers that are busy at once. Each may call 20 to 119 times an
# hour: it has called once, and dials on in half a minute to three.
_ENTRIES = """
with work as (
    select id as client_id, row_number() over (order by id) as k from client where accountcode like 'MANY%%' order by id
), masters as (
    insert into queue_master (client_id, batch_id, content, inserted_count, dispatched_at, open_chunks)
    select client_id, 1, '', %(each)s, now(), 1 from work returning id, client_id
), chunks as (
    insert into chunk (id, client_id, queue_master_id, entry_count, dispatched_at)
    select nextval('chunk_id_seq'), client_id, id, %(each)s, now() from masters returning id, client_id, queue_master_id
)
insert into entry (entry_id, client_id, queue_master_id, phone_number, number)
select (id << 10) + i, client_id, queue_master_id, n, n
  from chunks cross join generate_series(0, %(each)s - 1) i
 cross join lateral (select (9020000000 + (id * 131 + i) %% 10000000)::text as n) number
"""


def parse():
    parser = dialling.argument_parser(__doc__)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--servers", type=int, default=1_000)
    parser.add_argument("--live", type=int, default=10_000)
    return parser.parse_args()


def rss_mb(pid):
    """Resident memory without the segment."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    anonymous = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(anonymous.split()[1]) / 1024


def at_work(stack, seconds=10):
    """Cores that the dispatcher and PostgreSQL use, and calls a second that begin meanwhile."""
    usage, begun = dialling.Usage.start(stack), originates(stack)
    time.sleep(seconds)
    used = usage.since(stack)
    return used["dispatcher"] / seconds, used["postgres"] / seconds, (originates(stack) - begun) / seconds


def originates(stack) -> int:
    return dialling.measured(stack)["counters"]["originates"]


def live_calls(db):
    return dialling.one(db, "select count(*) from attempt a where not exists"
                            " (select from call_detail d where d.entry_id = a.entry_id and d.n = a.n)")


def restart_s(stack):
    """From the start of the dispatcher, after a kill of all of it, until its first Originate."""
    [_, child] = dialling.family(stack.processes()["dispatcher"].pid())
    stack.kill("dispatcher")
    dialling.wait_until(lambda: not Path(f"/proc/{child}").exists(), 10, "its child has ended, too")
    dialled = originates(stack)
    started = dialling.now()
    stack.start("dispatcher")
    dialling.wait_until(lambda: originates(stack) > dialled, 120, "it dials again")
    return dialling.now() - started


def main():
    wanted = parse()
    settings = {"segment": {"live_calls": wanted.live * 2, "window_entries": 1 << 20, "clients": wanted.clients + 100,
                            "servers": wanted.servers + 10, "allocations": wanted.clients * 2 + wanted.servers * 2,
                            "event_bytes": 1 << 26}}
    with dialling.farmed(wanted.programs, servers=wanted.servers, channels=wanted.live, speed=1,
                         settings=settings) as (stack, db):
        segment = sum(path.stat().st_size for path in stack.ccs.shared_memory()) / (1 << 20)
        with db.cursor() as cursor:
            cursor.execute(_CLIENTS, (wanted.clients,))
            cursor.execute("notify ccs, ''; insert into control (kind) values ('reload')")
            began = dialling.now()
            cursor.execute(_ENTRIES, {"each": wanted.waiting // wanted.clients})
        print(f"entries written in {dialling.now() - began:.0f} s", file=sys.stderr)
        dialling.insert(stack, wanted.live * 2, first_batch=1, talks=range(60, 90))
        stack.api.dispatch()
        dialling.wait_until(lambda: live_calls(db) >= wanted.live, 300, f"{wanted.live} calls are live")
        dialling.wait_until(lambda: originates(stack) > wanted.live + wanted.clients + 10, 120, "the clients dial on")
        child = dialling.family(stack.processes()["dispatcher"].pid())[1]
        memory = rss_mb(child)
        ccs, postgres, rate = at_work(stack)
        dials = restart_s(stack)
        live = live_calls(db)
    print("| clients | waiting | pick ns | plan ns |\n|---|---|---|---|")
    for clients, waiting in ((100, 10_000), (wanted.clients, wanted.waiting)):
        said = json.loads(subprocess.run([f"{wanted.programs}/tests/bench/bench_pick", str(clients), str(waiting)],
                                         check=True, capture_output=True).stdout)
        print(f"| {clients:,} | {waiting:,} | {said['pick_ns']:.0f} | {said['plan_ns']:.0f} |")
    print()
    print("| waiting | clients | servers | live | segment MiB | dispatcher RSS MB | calls/s begun | its cores | PostgreSQL's |"
          " restart to first Originate s |\n|---|---|---|---|---|---|---|---|---|---|")
    print(f"| {wanted.waiting:,} | {wanted.clients:,} | {wanted.servers:,} | {live:,} | {segment:.0f} | {memory:.0f} |"
          f" {rate:.0f} | {ccs:.2f} | {postgres:.2f} | {dials:.2f} |")


if __name__ == "__main__":
    main()
