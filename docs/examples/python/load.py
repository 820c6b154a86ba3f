#!/usr/bin/python3
"""Queues a file of numbers, CSV or NDJSON: load.py BATCH_ID FILE. The environment is that of campaign.py.

The file is stored whole or not at all, and once, however often it is sent under its id.
"""
import logging
import sys

from ccs import from_environment


def main(batch_id, path):
    ccs = from_environment()
    kind = "text/csv" if path.endswith(".csv") else "application/x-ndjson"
    with open(path, "rb") as file:
        stored = ccs.load(f"/queues/batches/{batch_id}/entries", file, kind)
    print(f"batch {batch_id}: {stored['inserted_count']} stored, {stored['rejected_count']} left out")
    for row in stored["rejected"]:  # the first hundred of them
        print(f"left out: {row['detail']}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    main(*sys.argv[1:])
