"""Pools of workers that grow, shrink and roll while requests come, and what became of the requests."""
import random
import signal
from dataclasses import dataclass

from load import Load, batches, quick_calls

SIZES = {"fast": (1, 6), "sql": (1, 12), "call": (1, 4), "login": (1, 3)}
ROLL_EVERY = 4  # changes
BATCH = 3  # entries


@dataclass
class Outcome:
    """Of requests during changes, and of the calls they were for."""

    gets: int
    misdirected: int  # POSTs over kept connections, to where only GET is known
    quick_calls: int  # POSTs over kept connections, too
    batches: int
    wrong: dict  # answers that were none or not the right one
    swept: int  # chunks that no announcement brought to the dispatcher
    unfinished: int  # calls


def counters(live) -> dict:
    return live.ctl_json("shm", "show")["counters"]


def resize_under_load(live, changes, seed=1) -> Outcome:
    """So many changes of the numbers, every fourth with a roll of all workers."""
    dice = random.Random(seed)
    client = live.new_client("CROWD", requests_per_minute=10_000_000, auto_dispatch="yes")
    before = counters(live)
    with Load(live, client, "/clients/me", 4) as gets, \
            Load(live, client, "/clients/me", 4, bodies=quick_calls(seed)) as misdirected, \
            Load(live, client, "/queues/quickcall", 8, bodies=quick_calls(seed)) as calls, \
            Load(live, client, "/queues/insertdataincallqueue", 4, bodies=batches(BATCH)) as inserts:
        loads = {gets: 200, misdirected: 405, calls: 200, inserts: 200}
        for number in range(changes):
            live.stack.ccs.ctl("workers", "set", *(f"{pool}={dice.randint(*bounds)}"
                                                   for pool, bounds in SIZES.items()))
            if number % ROLL_EVERY == 0:
                live.stack.processes()["api"].send(signal.SIGHUP)
            for load in loads:
                load.wait_served(10)
    live.stack.ccs.ctl("workers", "reset")
    entries = _wait_dialled(live, client, len(calls.said) + BATCH * len(inserts.said))
    return Outcome(gets.answers[200], misdirected.answers[405], len(calls.said), len(inserts.said),
                   {f"{load.path}: {status}": count for load, right in loads.items()
                    for status, count in load.answers.items() if status != right},
                   counters(live)["swept_chunks"] - before["swept_chunks"],
                   _unsound(live, client, entries))


def _wait_dialled(live, client, calls) -> int:
    """How many entries there are, once there is an end of as many calls as were confirmed."""
    def count(what):
        return live.sql(f"select count(*) from {what} where client_id = %s", client.client_id)[0][0]

    live.wait_until(lambda: count("call_detail") >= calls, f"all {calls} calls have ended", seconds=60)
    assert count("entry") >= calls
    return count("entry")


def _unsound(live, client, entries) -> int:
    """Of so many, how many have not exactly one attempt and one final detail."""
    [[sound]] = live.sql("""
        select count(*) from entry e where e.client_id = %(client)s
           and (select count(*) from attempt a where a.entry_id = e.entry_id) = 1
           and (select count(*) from call_detail d where d.entry_id = e.entry_id and d.is_final) = 1""",
                         client=client.client_id)
    return entries - sound
