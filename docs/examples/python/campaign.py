#!/usr/bin/python3
"""A batch from beginning to end: campaign.py BATCH_ID NUMBER...

Account and server come from the environment: CCS_URL, and CCS_KEY or CCS_USERNAME and CCS_PASSWORD; CCS_CA is a certificate
authority of your own. Run it again with the same arguments whenever it was interrupted: nobody is called twice.
"""
import logging
import sys
import time

from ccs import from_environment


def insert(ccs, batch_id, numbers):
    """Stores the batch. The same batch under the same id is stored once, however often it is sent."""
    stored = ccs.post("/queues/insertdataincallqueue", {
        "batch_id": batch_id,
        "data": [{"phone_number": number, "custom_data": {"row": row}} for row, number in enumerate(numbers)]})
    print(f"batch {batch_id}: {stored['inserted_count']} stored")
    for row in stored.get("rejected", []):
        print(f"left out: {row['phone_number']} ({row['reason']})")


def dispatch(ccs):
    """Starts dialling, and says what keeps the calls from starting, if anything does."""
    started = ccs.post("/controls/dispatch-calls")
    print(f"dispatched {started['dispatched']}")
    if started["blocked_reason"]:
        print(f"waiting: {started['blocked_reason']}")


def wait_finished(ccs, batch_id):
    """Asks at a pace that leaves the request limit to others. Who wants to know at once listens instead: listen.py."""
    while (batch := ccs.get(f"/queues/batches/{batch_id}"))["status"] != "finished":
        time.sleep(1)
    ended = {state: count for state, count in batch["counts"].items() if count}
    print("finished:", ", ".join(f"{state} {count}" for state, count in sorted(ended.items())))


def main(batch_id, *numbers):
    ccs = from_environment()
    account = ccs.get("/clients/me")
    print(f"account {account['accountcode']}")
    insert(ccs, int(batch_id), numbers)
    dispatch(ccs)
    wait_finished(ccs, int(batch_id))
    today = ccs.get("/client-call-details/summary")["summary"]["Grand Total"]
    print(f"today: {today['calls']} calls, {today['duration']} s")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    main(*sys.argv[1:])
