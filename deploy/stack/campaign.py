"""What the demo shows: a batch of mixed outcomes, dialled, watched and accounted for."""
import collections
import random
import time

from . import numbers
from .proc import StackError, wait_until

_BATCH = 1
_TALKS = range(1, 9)  # seconds until the called party hangs up
_STUCK_S = 60
_RECORDS_S = 10
_SHOWN = 20


def run(stack, tell, *, count) -> bool:
    """Dials count numbers and reports; False when the outcomes are not what the far end did."""
    api = stack.api
    batch = mixed(count)
    with tell.step(f"{count} numbers queued over HTTPS"):
        api.insert(_BATCH, batch, custom_data={"campaign": "demo"})
    tell.say("Dialling")
    started = time.monotonic()
    api.dispatch()
    _watch(api, count, tell)
    seconds = time.monotonic() - started
    details = list(api.pages("/client-call-details/details", batch_id=_BATCH))
    did = stack.rig().did(batch)
    _report(did, details, seconds, tell)
    return _outcomes_agree(did, details, tell) and _records_agree(stack.rig(), details, tell)


def mixed(count) -> list[str]:
    """Different numbers with every outcome of a campaign, and calls of several lengths."""
    batch = []
    for index, talk in enumerate(_TALKS):
        share = count // len(_TALKS) + (index < count % len(_TALKS))
        batch += numbers.mixed(share, seed=talk, talk=talk, ring=1)
    random.Random(count).shuffle(batch)
    return batch


def _watch(api, count, tell):
    """Shows how far it is until every number has its outcome."""
    before, deadline = 0, time.monotonic() + _STUCK_S
    while True:
        done = api.get("/monitoring/callingsummary").ok
        active = api.get("/monitoring/activecalls").ok["active_calls"]
        finished = done["total_calls"]
        tell.bar(finished, count, f"{active} live, {done['successful_calls']} answered, "
                 f"{done['failed_calls']} not")
        if finished >= count:
            return
        if finished > before:
            before, deadline = finished, time.monotonic() + _STUCK_S
        if time.monotonic() > deadline:
            raise StackError(f"{finished} of {count} calls are over, none more for {_STUCK_S} s")
        time.sleep(0.25)


def _report(did, details, seconds, tell):
    found = collections.Counter(row["disposition"] for row in details)
    expected = collections.Counter(name or "nothing" for name in did.values())
    lasted = collections.Counter()
    for row in details:
        lasted[row["disposition"]] += row["duration"]
    tell.say(f"\n  {'disposition':<14} {'calls':>6} {'the far end did':>16} {'seconds':>9}")
    for name in sorted(found | expected, key=lambda name: -found[name]):
        tell.say(f"  {name:<14} {found[name]:>6} {expected[name]:>16} {lasted[name]:>9.1f}")
    tell.say(f"  {'all':<14} {found.total():>6} {expected.total():>16} {lasted.total():>9.1f}")
    billed = sum(row["billsec"] for row in details)
    tell.say(f"\n  {billed:.0f} s talked, {len(details)} calls in {seconds:.1f} s: "
             f"{len(details) / seconds:.1f} a second")


def _outcomes_agree(did, details, tell) -> bool:
    """Does every number have one outcome, what the far end did?"""
    finals = [row["phone_number"] for row in details if row["is_final"]]
    wrong = [row for row in details if row["disposition"] != did[row["phone_number"]]]
    for row in wrong[:_SHOWN]:
        tell.say(f"  {row['phone_number']} is {row['disposition']} ({row['reason']}), the far end "
                 f"did {did[row['phone_number']]}")
    if len(wrong) > _SHOWN:
        tell.say(f"  and {len(wrong) - _SHOWN} more")
    if sorted(finals) != sorted(did):
        tell.say(f"  {len(did)} numbers were sent, {len(finals)} outcomes came back")
        return False
    return not wrong


def _records_agree(rig, details, tell) -> bool:
    """Has the other side exactly one record of every attempt? It may take a moment."""
    attempts = {row["call_id"] for row in details}

    def per_attempt():
        records = rig.records_per_attempt()
        return {attempt: records.get(attempt, 0) for attempt in attempts}

    try:
        wait_until(lambda: set(per_attempt().values()) == {1}, seconds=_RECORDS_S,
                   what="the other side has one record of every attempt")
    except StackError as error:
        odd = {attempt: count for attempt, count in per_attempt().items() if count != 1}
        tell.say(f"  {error}: {odd}")
        return False
    tell.say(f"  The other side's own books: {len(attempts)} records, one for every attempt")
    return True
