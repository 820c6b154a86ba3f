"""The far end's number plan: which number is answered, busy, rings for ever, ...

    90 O R TT XXXX      O outcome, R seconds of ringing, TT seconds until the called party hangs
                        up, XXXX any digits. Every number is a valid Indian mobile number.

The dialplan that keeps these promises is deploy/asterisk/etc/common/numbers.conf.
"""
import random
from dataclasses import dataclass

REGION = "IN"

# Printed in the integration document, hence dialled by whoever tries its examples.
DOCUMENT_NUMBERS = ("9876543210", "9876543211", "9876543212")
DOCUMENT_TALK = 3

# People who can be heard, on a real Asterisk only: numbers.conf.
PERSON, MACHINE = "9876543220", "9876543221"


def presses(digit) -> str:
    """Whoever has this number presses that key."""
    return f"987654323{digit}"


# numbers() of neighbouring seeds start this far apart, so up to so many of an outcome are disjoint.
SEED_STEP = 1000


@dataclass(frozen=True)
class Outcome:
    """What the far end does, and what ccs must make of it."""

    digit: int
    disposition: str  # as ccs reports it
    sip: int  # final SIP status of the far end
    cause: int  # of the Hangup event; 16 for what we hang up ourselves
    meaning: str
    timed: bool = False  # do the digits TT count?


OUTCOMES = {
    "answered": Outcome(0, "completed", 200, 16, "answers, hangs up after TT seconds", timed=True),
    "stays": Outcome(1, "completed", 200, 16, "answers, stays until we hang up"),
    "busy": Outcome(2, "busy", 486, 17, "busy"),
    "unavailable": Outcome(3, "no_answer", 480, 19, "not answered, the network gives up"),
    "rings": Outcome(4, "no_answer", 487, 19, "rings until we give up"),
    "congestion": Outcome(5, "congestion", 503, 34, "no line free"),
    "rejected": Outcome(6, "rejected", 603, 21, "declined by the called party"),
    "invalid": Outcome(7, "invalid", 404, 1, "no such number"),
    "speaks": Outcome(8, "completed", 200, 16, "answers, says a few words, hangs up after TT more "
                      "seconds", timed=True),
}

# A mixed batch as a campaign sees it, in per cent.
DEFAULT_SHARES = {"answered": 64, "busy": 10, "unavailable": 8, "rings": 4, "congestion": 5,
                  "rejected": 4, "invalid": 5}


def numbers(outcome, count, seed=0, *, first=0, ring=0, talk=3):
    """Yields that many different numbers with this outcome, always the same for the same seed: from the first on of a
    thousand, after which those of the next seed begin.

    ring is 0 to 9 seconds; talk, 0 to 99 seconds, counts for "answered" and "speaks". There are
    10,000 numbers for each ring and talk of those two, 1,000,000 for each ring of the others.
    """
    kind = OUTCOMES[outcome]
    if not (0 <= ring <= 9 and 0 <= talk <= 99):
        raise ValueError(f"ring {ring} is not in 0..9 or talk {talk} is not in 0..99")
    head = f"90{kind.digit}{ring}" + (f"{talk:02}" if kind.timed else "")
    width = 10 - len(head)
    if count > 10 ** width:
        raise ValueError(f"there are only {10 ** width} numbers with this outcome, not {count}")
    for i in range(count):
        yield f"{head}{(seed * SEED_STEP + first + i) % 10 ** width:0{width}}"


def mixed(count, seed=0, *, shares=None, ring=0, talk=3, taken_from=None):
    """A list of different numbers of several outcomes, shuffled; shares are relative weights. taken_from is another
    function than numbers(), with the same first three arguments."""
    take = taken_from or numbers
    shares = shares or DEFAULT_SHARES
    total = sum(shares.values())
    batch, given, weight = [], 0, 0
    for outcome, share in shares.items():
        weight += share
        upto = count * weight // total
        batch += take(outcome, upto - given, seed, ring=ring, talk=talk)
        given = upto
    random.Random(seed).shuffle(batch)
    return batch


def national(number) -> str:
    """The ten digits of a number given with or without +91, 91 or 0 in front."""
    for prefix, length in (("+91", 13), ("91", 12), ("0", 11)):
        if number.startswith(prefix) and len(number) == length:
            return number[len(prefix):]
    return number


def outcome_of(number) -> str:
    """The name of what the far end does with this number."""
    number = national(number)
    if number in DOCUMENT_NUMBERS:
        return "answered"
    if len(number) == 10 and number.isdecimal() and number.startswith("90"):
        for name, kind in OUTCOMES.items():
            if kind.digit == int(number[2]):
                return name
    return "invalid"


def disposition_of(number) -> str:
    """The disposition ccs must report for a call to this number."""
    return OUTCOMES[outcome_of(number)].disposition


def by_outcome(batch) -> dict[str, list[str]]:
    """The numbers of a batch, sorted into their outcomes."""
    sorted_numbers = {}
    for number in batch:
        sorted_numbers.setdefault(outcome_of(number), []).append(number)
    return sorted_numbers
