#!/usr/bin/python3
"""One call at once: call.py ORDER NUMBER. The order's own number is the idempotency key: run twice, it rings once."""
import sys

from ccs import from_environment


def main(order, number):
    called = from_environment().post("/queues/quickcall", {"phone_number": number, "custom_data": {"order": order}},
                                     idempotency_key=f"order-{order}")
    print(f"call {called['call_id']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
