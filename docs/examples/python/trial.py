#!/usr/bin/python3
"""A few numbers first, the rest only if those went well: trial.py BATCH_ID NUMBER...

The first ones are a batch of their own, BATCH_ID; the rest is BATCH_ID + 1. Environment as in campaign.py.
"""
import sys

from campaign import dispatch, insert, wait_finished
from ccs import from_environment

FIRST = 3
WORRYING = ("invalid", "congestion", "failed", "unknown")  # not what called people do: something is set up wrong


def main(batch_id, *numbers):
    ccs, batch_id = from_environment(), int(batch_id)
    insert(ccs, batch_id, numbers[:FIRST])
    dispatch(ccs)
    wait_finished(ccs, batch_id)
    counts = ccs.get(f"/queues/batches/{batch_id}")["counts"]
    wrong = {state: counts[state] for state in WORRYING if counts[state]}
    if wrong:
        print(f"stopped: {wrong}; the rest was not sent")
        return 1
    if numbers[FIRST:]:
        insert(ccs, batch_id + 1, numbers[FIRST:])
        dispatch(ccs)
        wait_finished(ccs, batch_id + 1)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
