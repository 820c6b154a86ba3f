"""A hundred changes of the number of API workers while requests come."""
import pytest

from farmed import farmed_stack
from resizing import resize_under_load

CHANGES = 100


@pytest.fixture
def live(request):
    with farmed_stack(request, 10, 200, speed=20) as live:
        yield live


@pytest.mark.parametrize("seed", [1, 2])
def test_a_hundred_changes_lose_no_request_and_no_call(live, seed, capsys):
    outcome = resize_under_load(live, CHANGES, seed)
    with capsys.disabled():
        print(f"\n{outcome}")
    assert outcome.wrong == {} and outcome.unfinished == 0
    assert min(outcome.gets, outcome.misdirected, outcome.quick_calls, outcome.batches) > 10 * CHANGES
    assert outcome.swept < (outcome.quick_calls + outcome.batches) / 20
