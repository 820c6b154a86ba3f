"""Three tenants with weights 1, 2 and 4 on saturated servers, one of them flooding: who gets how much, counted from the farm's
own book."""
import pytest

from farmed import farmed_stack
from stack import numbers

SERVERS, CHANNELS, SPEED = 4, 10, 5
WEIGHTS = {"ONE": 1, "TWO": 2, "FOUR": 4}
PATIENT, FLOOD = 1500, 150_000  # calls of a weight of 1: what the others queue, and what ONE does
INSERT = 10_000


@pytest.fixture(scope="module")
def farmed(request):
    with farmed_stack(request, SERVERS, CHANNELS, speed=SPEED) as live:
        live.sql("update server set allowed_active_calls = %s", CHANNELS)
        live.reload()
        yield live


def queue(client, called):
    for at in range(0, len(called), INSERT):
        client.insert(called[at:at + INSERT])


def jain(values):
    """Jain's index of fairness: 1 = all alike."""
    return sum(values) ** 2 / (len(values) * sum(v * v for v in values))


def starts(farmed, called):
    """(time, tenant) of every Originate, in order."""
    tenant = {numbers.national(number): name for name, own in called.items() for number in own}
    return sorted((o.at, tenant[o.number]) for o in farmed.stack.rig().book().originates
                  if o.number in tenant)


def while_all_wait(dialled, called):
    """How many each began from when all had begun until the first of them ran short."""
    begun, total = dict.fromkeys(called, 0), dict.fromkeys(called, 0)
    for _, name in dialled:
        total[name] += 1
        if all(total[other] > 20 for other in called):
            begun[name] += 1
        if total[name] > len(called[name]) - 100:
            break
    return begun


def test_each_gets_its_share_however_much_one_floods(farmed, capsys):
    clients = {name: farmed.new_client(name, weight=weight, channels=SERVERS * CHANNELS)
               for name, weight in WEIGHTS.items()}
    taken, called = iter(numbers.numbers("busy", FLOOD + 6 * PATIENT, ring=1)), {}
    for name, weight in reversed(WEIGHTS.items()):
        count = FLOOD if name == "ONE" else weight * PATIENT
        called[name] = [next(taken) for _ in range(count)]
        queue(clients[name], called[name])
    for client in clients.values():
        client.dispatch()
    farmed.wait_until(lambda: clients["FOUR"].attempts() >= len(called["FOUR"]) - 50,
                      "FOUR has begun nearly all of its calls", seconds=300)
    begun = while_all_wait(starts(farmed, called), called)
    clients["ONE"].set_active(False)
    total, weights = sum(begun.values()), sum(WEIGHTS.values())
    index = jain([begun[name] / weight for name, weight in WEIGHTS.items()])
    with capsys.disabled():
        print(f"\n{begun}, Jain's index {index:.6f}")
    assert total > 3000
    for name, weight in WEIGHTS.items():
        assert begun[name] / total == pytest.approx(weight / weights, rel=0.02), (name, begun)
