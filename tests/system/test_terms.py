"""The limits that batches have of their own hold, by the farm's own book, while they change and the dispatcher is killed, and take
nothing from others."""
import itertools

import pytest

from farmed import farmed_stack
from live import FarEnd

CHANNELS = 30


@pytest.fixture(scope="module")
def farmed(request):
    with farmed_stack(request, 1, CHANNELS, speed=10) as live:
        yield live


@pytest.fixture(scope="module")
def far_end(farmed):
    return FarEnd(farmed)


@pytest.fixture(scope="module")
def client(farmed):
    return farmed.new_client("TERMS", channels=CHANNELS)


_ids = itertools.count(1)


def batch_with(client, numbers, **settings):
    batch_id = next(_ids)
    client.api.post("/queues/insertdataincallqueue/", {"batch_id": batch_id, **settings,
                                                       "data": [{"phone_number": number} for number in numbers]}).ok
    return batch_id


def calls_of(farmed, client, batch_id):
    """When each of its calls began and ended, by the farm's book."""
    ids = {row[0] for row in farmed.sql("""select e.entry_id from entry e join queue_master m on m.id = e.queue_master_id
                                            where m.client_id = %s and m.batch_id = %s""", client.client_id, batch_id)}
    book = farmed.stack.rig().book()
    return [(originate.at, book.endings[originate.call_id].at) for originate in book.originates
            if int(originate.call_id.removeprefix("ccs-")[:14], 16) in ids and originate.call_id in book.endings]


def most_at_once(calls):
    live = most = 0
    for _, change in sorted([(begin, 1) for begin, _ in calls] + [(end, -1) for _, end in calls]):
        live += change
        most = max(most, live)
    return most


def most_in_a_second(farmed, client, batch_id):
    """By the journal: what is planned in its time may be written together, when PostgreSQL was slow."""
    begins = [row[0] for row in farmed.sql("""select extract(epoch from a.armed_at)::float8
          from attempt a join queue_master m on m.id = a.queue_master_id where m.client_id = %s and m.batch_id = %s""",
                                           client.client_id, batch_id)]
    return max(sum(1 for other in begins if begin <= other < begin + 1) for begin in begins)


def finished(farmed, client, *batch_ids):
    for batch_id in batch_ids:
        report = client.wait_finished(batch_id)
        assert report.open == 0 and all(row["finals"] == 1 for row in report.rows)


def test_limits_hold_across_kills_and_leave_the_rest_to_others(farmed, client, far_end):
    narrow = batch_with(client, far_end.numbers("answered", 30, talk=3), channels=2)
    paced = batch_with(client, far_end.numbers("busy", 12), calls_per_second=4)
    free = batch_with(client, far_end.numbers("answered", 100, talk=3))
    client.dispatch()
    farmed.wait_until(lambda: client.attempts() > 20, "calls begin")
    for _ in range(3):
        before = client.attempts()
        farmed.kill("dispatcher")
        farmed.wait_ready()
        farmed.wait_until(lambda: client.attempts() > before, "calls go on")
    finished(farmed, client, narrow, paced, free)
    assert most_at_once(calls_of(farmed, client, narrow)) == 2
    assert most_in_a_second(farmed, client, paced) <= 4
    assert most_at_once(calls_of(farmed, client, free)) > 10, "nobody else was held up"


def test_many_narrow_batches_keep_nobody_out(farmed, client, far_end):
    numbers = iter(far_end.numbers("answered", 60, talk=5))
    narrow = [batch_with(client, list(itertools.islice(numbers, 3)), channels=1) for _ in range(20)]
    last = batch_with(client, far_end.numbers("busy", 3))
    client.dispatch()
    finished(farmed, client, last, *narrow)
    assert {most_at_once(calls_of(farmed, client, batch_id)) for batch_id in narrow} == {1}


def test_the_dispatcher_counts_what_it_holds(farmed):
    assert farmed.ctl_json("shm", "show")["counters"]["drift"] == 0
