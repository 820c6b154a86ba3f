"""No endpoint tells or moves anything of another client, whatever id it is given; and what exists looks like what does not."""
import pytest
from endpoints import IDS, SETTINGS, endpoints
from tenants import FILLED, make_world, new_key, remove_servers

NOBODY = {"accountcode": "NOBODY", "client_id": 9_007_199_254_740_991, "queue_master_id": 8_888_888_888,
          "batch_id": 8_888_888_887, "entry_id": 8_888_888_886, "call_id": "ccs-1f0000000000ff01", "server_code": "no-such-server",
          "key_id": 8_888_888_885}


@pytest.fixture(scope="module")
def ours(stack, asterisk, theirs):
    world = make_world(stack, asterisk, "OURS", 7_700_176)
    yield world
    remove_servers(stack, world, theirs)


@pytest.fixture(scope="module")
def theirs(stack, asterisk):
    return make_world(stack, asterisk, "THEIRS", 7_700_177)


def ask(stack, endpoint, world, *, place=None, name=None, value=None):
    """A good request of the world's client, but for one value in the path, the query or the body."""
    takes = endpoint.takes

    def good(meaning):
        return world.ids[meaning] if meaning in IDS else FILLED[meaning]

    path = {name_: good(meaning) for name_, meaning in takes.path.items()}
    body = {name_: good(meaning) for name_, meaning in (takes.body or {}).items() if name_ != name}
    query = {}
    if place:
        {"path": path, "query": query, "body": body}[place][name] = value
    # What is added to a queue has no settings of its own, and "text" is nobody's number, and no context that anybody may use.
    without = set(SETTINGS) if name == "queue_id" else {"did", "context", "extension"}
    body = {name_: given for name_, given in body.items() if given is not None and name_ not in without}
    key = new_key(stack, world.client) if takes.spends else world.client.key
    return world.client.api.as_client(key).request(endpoint.method, endpoint.path(path), takes.file or (body if takes.body else None),
                                                   headers={"Content-Type": takes.kind, "If-Match": "*"}, **query)


def without_its_own(answer) -> dict:
    """Of an error, what may depend on what was asked."""
    return {name: value for name, value in answer.json.items()
            if name not in ("timestamp", "request_id")}


def signs_in(answer, world) -> list:
    everything = answer.body + str(answer.headers).encode()
    return [sign for sign in world.signs() if sign in everything]


CASES = [(endpoint, place, name, meaning) for endpoint in endpoints() if endpoint.who not in ("ADMIN", "SERVER")
         for place in ("path", "query", "body")
         for name, meaning in (getattr(endpoint.takes, place) or {}).items() if meaning in IDS]


@pytest.mark.parametrize("endpoint, place, name, meaning", CASES,
                         ids=[f"{endpoint.name}-{place}-{name}" for endpoint, place, name, _ in CASES])
def test_A7_Q11_foreign_ids_are_refused_as_if_they_were_nobodys(stack, ours, theirs, endpoint, place, name, meaning):
    before = theirs.state(stack)
    real = ask(stack, endpoint, ours, place=place, name=name, value=theirs.ids[meaning])
    unreal = ask(stack, endpoint, ours, place=place, name=name, value=NOBODY[meaning])
    assert (real.status, unreal.status) == (403, 403), (real.body, unreal.body)
    assert without_its_own(real) == without_its_own(unreal)
    assert set(real.headers) == set(unreal.headers)
    assert signs_in(real, theirs) == []
    assert theirs.state(stack) == before
    own = ask(stack, endpoint, ours, place=place, name=name, value=ours.ids[meaning])
    assert own.status in (200, 409), own.body  # or all this says nothing


@pytest.mark.parametrize("endpoint", endpoints(), ids=str)
def test_A7_answers_hold_nothing_of_others(stack, ours, theirs, endpoint):
    before = theirs.state(stack)
    answer = ask(stack, endpoint, ours)
    assert answer.status < 500, answer.body
    assert signs_in(answer, theirs) == []
    assert theirs.state(stack) == before
