#!/usr/bin/python3
"""Three tenants with weights 1, 2 and 4 on servers that are never free, the first of them flooding a hundredfold: who gets how
much, and what the others wait beside it and alone.

    tests/bench/fairness.py [--programs build/release] [--seconds 30]

Prints Markdown, for docs/BENCHMARKS.md. Starts are counted from the farm's book, from when all have begun until the first has
no more to begin. Alone is a tenant that has as many channels to itself as its share is of, and is as busy. What is waited for
is a quick call in between: from its commit to its Originate.
"""
import sys
import threading
import time

import dialling
from stack import numbers
from stack.api import Api

SERVERS, CHANNELS, SPEED = 4, 14, 1  # channels a server: sevenths are whole
WEIGHTS = {"ONE": 1, "TWO": 2, "FOUR": 4}
FLOODS, FLOOD = "ONE", 100
RING_S = 1  # of every call, in the farm's time: no answer is waited for
BATCH = 20_000
EVERY_S = 0.25  # a quick call: a quarter of what TWO can begin


class Tenant:
    """One that calls, and the numbers that are its own."""

    def __init__(self, stack, name, channels, called, **fields):
        added = stack.add_client(name, channels=channels, **fields)
        stack.allocate(name, channels=channels)
        self.client_id = added["client_id"]
        self.api = Api(stack.base_url, added["api_key"], ca_file=stack.folder / "tls/ca.pem")
        self.called = called

    def queue(self):
        for at in range(0, len(self.called), BATCH):
            self.api.insert(1 + at // BATCH, self.called[at:at + BATCH])

    def call_quickly(self, phones, until):
        while time.monotonic() < until:
            self.api.post("/queues/quickcall", {"phone_number": next(phones)}).ok  # noqa: B018
            time.sleep(EVERY_S)


def parse():
    parser = dialling.argument_parser(__doc__)
    parser.add_argument("--seconds", type=int, default=30)
    return parser.parse_args()


def farmed(wanted):
    return dialling.farmed(wanted.programs, servers=SERVERS, channels=SERVERS * CHANNELS, speed=SPEED)


def share(name):
    return SERVERS * CHANNELS * WEIGHTS[name] // sum(WEIGHTS.values())


def enough(name, seconds):
    """So many calls keep its share of the channels busy for longer than we look."""
    return int(share(name) * SPEED / RING_S * (seconds + 6))


def begun(stack, db, count, client_id):
    dialling.wait_until(lambda: dialling.one(db, "select count(*) from attempt where client_id = %s", client_id) >= count,
                        120, f"{count} calls of client {client_id} have begun")


def starts(stack):
    """When each call was begun, by its id."""
    return {o.call_id: (o.at, o.number) for o in stack.rig().book().originates}


def waits_ms(db, client_id, dialled):
    """Of its quick calls, from the commit to the Originate, ascending."""
    with db.cursor() as cursor:
        cursor.execute("""select k.id * 1024, extract(epoch from k.created_at)::float8 from chunk k
                           where k.client_id = %s and k.queue_master_id is null""", [client_id])
        ids = {f"ccs-{entry:014x}01": at for entry, at in cursor.fetchall()}
    return sorted((dialled[call][0] - at) * 1000 for call, at in ids.items() if call in dialled)


def look(stack, db, tenants, asking, seconds, phones):
    """Quick calls of each of these beside the batches; when all that was looked at has been written down."""
    until = time.monotonic() + seconds
    callers = [threading.Thread(target=tenant.call_quickly, args=(phones[name], until)) for name, tenant in asking.items()]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for tenant in tenants:
        dialling.one(db, "update client set is_active = false where id = %s returning id", tenant.client_id)
    dialling.one(db, "insert into control (kind) values ('reload') returning pg_notify('ccs', '') is null")
    dialling.wait_until(lambda: not any(server["channels"] for server in stack.rig().show().values()), 60, "all is quiet")


def limit(db, channels):
    dialling.one(db, "with u as (update server set allowed_active_calls = %s returning id) select count(*) from u", channels)


def alone(wanted, name):
    taken = iter(numbers.numbers("busy", enough(name, wanted.seconds) + 2000, ring=RING_S))
    with farmed(wanted) as (stack, db):
        tenant = Tenant(stack, name, share(name), [next(taken) for _ in range(enough(name, wanted.seconds))])
        tenant.queue()
        tenant.api.dispatch()
        begun(stack, db, share(name) * 2, tenant.client_id)
        look(stack, db, [tenant], {name: tenant}, wanted.seconds, {name: taken})
        return waits_ms(db, tenant.client_id, starts(stack))


def together(wanted):
    """The starts of each while all wait, and the waits of those who do not flood."""
    counts = {name: enough(name, wanted.seconds) * (FLOOD if name == FLOODS else 1) for name in WEIGHTS}
    taken = iter(numbers.numbers("busy", sum(counts.values()) + 4000, ring=RING_S))
    with farmed(wanted) as (stack, db):
        limit(db, CHANNELS)
        tenants = {name: Tenant(stack, name, SERVERS * CHANNELS, [next(taken) for _ in range(counts[name])], weight=weight)
                   for name, weight in WEIGHTS.items()}
        quick = {name: [next(taken) for _ in range(2000)] for name in WEIGHTS if name != FLOODS}
        phones = {name: iter(own) for name, own in quick.items()}
        for tenant in tenants.values():
            tenant.queue()
        for tenant in tenants.values():
            tenant.api.dispatch()
        for name, tenant in tenants.items():
            begun(stack, db, share(name) * 2, tenant.client_id)
        look(stack, db, tenants.values(), {name: tenants[name] for name in phones}, wanted.seconds, phones)
        dialled = starts(stack)
        return shares(tenants, quick, dialled), {name: waits_ms(db, tenants[name].client_id, dialled) for name in phones}


def shares(tenants, quick, dialled):
    """Quick calls are turns, too."""
    owner = {numbers.national(number): name for name, tenant in tenants.items()
             for number in [*tenant.called, *quick.get(name, ())]}
    total, counted = dict.fromkeys(tenants, 0), dict.fromkeys(tenants, 0)
    for _, number in sorted(dialled.values()):
        if number not in owner:
            continue
        total[owner[number]] += 1
        if all(total[name] > share(name) for name in tenants):
            counted[owner[number]] += 1
        if total[owner[number]] > len(tenants[owner[number]].called) - share(owner[number]):
            break
    return counted


def at(values, part):
    return values[min(len(values) - 1, int(len(values) * part))]


def main():
    wanted = parse()
    quiet = {name: alone(wanted, name) for name in WEIGHTS if name != FLOODS}
    counted, flooded = together(wanted)
    total = sum(counted.values())
    print("| tenant | weight | queued | begun | share | of its weight | quick call waits, alone p50 ms | flooded | alone p95 ms"
          " | flooded |\n|---|---|---|---|---|---|---|---|---|---|")
    for name, weight in WEIGHTS.items():
        own = weight / sum(WEIGHTS.values())
        row = f"| {name} | {weight} | {enough(name, wanted.seconds) * (FLOOD if name == FLOODS else 1):,} | {counted[name]:,}" \
              f" | {counted[name] / total:.2%} | {counted[name] / total / own - 1:+.2%} |"
        if name in quiet:
            row += "".join(f" {at(quiet[name], part):.1f} | {at(flooded[name], part):.1f} |" for part in (0.5, 0.95))
        else:
            row += " | | | |"
        print(row)
    index = dialling.jain([counted[name] / weight for name, weight in WEIGHTS.items()])
    print(f"\nJain's index {index:.6f}.")
    print(f"\nLoad of the machine at the end: {dialling.load_1m()}.", file=sys.stderr)


if __name__ == "__main__":
    main()
