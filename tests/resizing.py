"""Pools of workers that grow, shrink and roll while requests come, and what became of the requests."""
import random
import signal
from dataclasses import dataclass

from load import Load, quick_calls

GETS, POSTS, LOST = "/clients/me", "/queues/quickcall", "/clients/me"
SIZES = {"fast": (1, 6), "sql": (1, 16), "login": (1, 3)}
ROLL_EVERY = 4  # changes


@dataclass
class Outcome:
    """Of requests during changes, and of the calls they were for."""

    gets: int
    calls: int
    misdirected: int  # POSTs over kept connections, to where only GET is known
    wrong: dict  # answers that were none or not the right one
    swept: int  # calls that no announcement brought to the dispatcher
    unfinished: int


def counters(live) -> dict:
    return live.ctl_json("shm", "show")["counters"]


def resize_under_load(live, changes, seed=1) -> Outcome:
    """So many changes of the numbers, every fourth with a roll of all workers."""
    dice = random.Random(seed)
    client = live.new_client("CROWD", requests_per_minute=10_000_000)
    before = counters(live)
    with Load(live, client, GETS, 4) as gets, \
            Load(live, client, LOST, 4, bodies=quick_calls(seed)) as misdirected, \
            Load(live, client, POSTS, 8, bodies=quick_calls(seed)) as posts:
        for number in range(changes):
            live.stack.ccs.ctl("workers", "set", *(f"{pool}={dice.randint(*bounds)}"
                                                   for pool, bounds in SIZES.items()))
            if number % ROLL_EVERY == 0:
                live.stack.processes()["api"].send(signal.SIGHUP)
            for load in (gets, misdirected, posts):
                load.wait_served(20)
    live.stack.ccs.ctl("workers", "reset")
    wrong = {**_others(gets, 200), **_others(posts, 200), **_others(misdirected, 405)}
    _wait_dialled(live, client, len(posts.said))
    after = counters(live)
    return Outcome(gets.answers[200], len(posts.said), misdirected.answers[405], wrong,
                   after["swept_chunks"] - before["swept_chunks"],
                   _unfinished(live, [said["call_id"] for said in posts.said]))


def _others(load, right) -> dict:
    return {f"{load.path}: {status}": count for status, count in load.answers.items()
            if status != right}


def _wait_dialled(live, client, calls):
    def ended():
        return live.sql("select count(*) from call_detail where client_id = %s and is_final",
                        client.client_id)[0][0]

    live.wait_until(lambda: ended() >= calls, f"all {calls} calls have ended", seconds=60)


def _unfinished(live, call_ids) -> int:
    """How many of them have not exactly one final detail and one attempt."""
    entries = [int(call_id.removeprefix("ccs-")[:14], 16) for call_id in call_ids]
    [[sound]] = live.sql("""
        select count(*) from unnest(%s) as called (entry_id)
         where (select count(*) from attempt a where a.entry_id = called.entry_id) = 1
           and (select count(*) from call_detail d
                 where d.entry_id = called.entry_id and d.is_final) = 1""", entries)
    return len(entries) - sound
