"""ccs on simulated Asterisks: such a stack, and what ccs says beside what the farm has in its book."""
import collections
import contextlib
import math
import shutil
import tempfile
from dataclasses import dataclass, field

from live import Live
from places import PROGRAMS
from stack.progress import Silent
from stack.stack import Plan, Stack

WINDOW = 20  # dispatcher.ami_window

# Around a cut something may have been said that nobody heard: back-off, login and list take time.
_AROUND_CUT_S = 1
_NEVER_SENT = "never sent"  # how ccs begins its reason for a call that it did not write

# By attempt; an entry that has none is a row, too.
_CALLS = """
select e.entry_id, a.n, d.disposition::text, d.reason, d.is_final, s.server_code,
       extract(epoch from a.armed_at)::float8 as armed,
       (select count(*) from attempt t where t.entry_id = e.entry_id) as attempts,
       (select count(*) from call_detail f where f.entry_id = e.entry_id and f.is_final) as finals,
       (select count(*) from event v where v.entry_id = e.entry_id and v.n = a.n
           and v.type in ('call_ended', 'call_failed')) as ends,
       (select count(*) from event v where v.entry_id = e.entry_id and v.n = a.n
           and v.type = 'call_started') as starts
  from entry e
  left join attempt a on a.entry_id = e.entry_id
  left join call_detail d on d.entry_id = e.entry_id and d.n = a.n
  left join server s on s.id = a.server_id
"""

# What is tried elsewhere: the way failed, not the called party.
_FAILS_OVER = "failed", "congestion"


@contextlib.contextmanager
def farmed_stack(request, servers, channels, **farm):
    """A stack on a farm with so many channels a server. Its folder is kept when a test has failed."""
    folder = tempfile.mkdtemp(prefix="ccs-farm-")
    plan = Plan(programs=str(PROGRAMS), servers=servers, channels=servers * channels,
                rate_limit=10_000_000, ring_seconds=5, farm=farm,
                settings={"dispatcher": {"ami_window": WINDOW, "reconnect_max_ms": 1000, "foreign_ms": 200},
                          "relay": {"backlog_bytes": 1 << 18}})
    live = Live(Stack.up(folder, plan, Silent()))
    try:
        yield live
        live.wait_ready()
        live.check_segment()
    finally:
        live.stack.down()
        if not request.session.testsfailed:
            shutil.rmtree(folder)


@dataclass
class Ledger:
    """Both sides' books. The lists before in_doubt must be empty, and that one has a bound."""

    dialled_twice: list = field(default_factory=list)
    not_begun: list = field(default_factory=list)  # dialled, and ccs has no such attempt
    not_one_end: list = field(default_factory=list)  # details or events: none, or more than one
    wrong: list = field(default_factory=list)  # ccs claims what the far end did not do
    in_doubt: collections.Counter = field(default_factory=collections.Counter)
    never_read: int = 0  # of those in doubt: lost on the way to the far end
    never_sent: int = 0  # and ccs says so
    dispositions: collections.Counter = field(default_factory=collections.Counter)
    of_server: collections.defaultdict = field(
        default_factory=lambda: collections.defaultdict(collections.Counter))
    cuts: collections.Counter = field(default_factory=collections.Counter)

    def check(self, channels):
        """channels: of a server. In doubt is at most what was written and not answered at each cut, and what
        ended while nobody listened."""
        for odd in (self.dialled_twice, self.not_begun, self.not_one_end, self.wrong):
            assert not odd, "\n".join(map(str, [len(odd), *odd[:20]]))
        for server, doubtful in self.in_doubt.items():
            assert doubtful <= self.cuts[server] * (WINDOW + channels), server

    def summary(self) -> str:
        """For people."""
        return (f"{self.cuts.total()} connections cut, {self.in_doubt.total()} calls in doubt "
                f"({self.never_read} never arrived), {self.never_sent} never sent, "
                f"{dict(self.dispositions)}")


def compare(live, deaf=()) -> Ledger:
    """All calls of a stack so far. deaf: periods (from, until), in order and apart, in which the dispatcher could not read
    what its servers said."""
    book, ledger = live.stack.rig().book(), Ledger()
    dialled, begun = book.times_dialled(), set()
    for server, incidents in book.incidents.items():
        ledger.cuts[server] = sum(fact == "cut" for _, fact, _ in incidents)
    refused = {o.call_id for o in book.originates if o.verdict != "queued"}
    for row in live.sql(_CALLS):
        call_id = f"ccs-{row['entry_id']:014x}{row['n'] or 1:02x}"
        begun.add(call_id)
        ending = book.endings.get(call_id)
        did = "nothing" if call_id not in dialled else "failed" if call_id in refused \
            else ending.disposition if ending else None
        last = row["n"] == row["attempts"]
        if last:
            ledger.dispositions[row["disposition"]] += 1
        ledger.of_server[row["server_code"]][row["disposition"]] += 1
        if (row["finals"], row["is_final"], row["ends"]) != (1, last, 1) or row["starts"] > 1:
            ledger.not_one_end.append((call_id, dict(row)))
        elif not last and row["disposition"] not in _FAILS_OVER:
            ledger.wrong.append(f"{call_id} was {row['disposition']}, and its number was dialled again")
        elif row["disposition"] == "failed" and row["reason"].startswith(_NEVER_SENT):
            ledger.never_sent += 1
            if call_id in dialled:
                ledger.wrong.append(f"{call_id}: {row['reason']}, but it was")
        elif row["disposition"] != did:
            _judge(ledger, row, call_id, did, _was_cut(book, row, ending, deaf))
            ledger.never_read += did == "nothing"
    ledger.dialled_twice = [call for call, times in dialled.items() if times > 1]
    ledger.not_begun = sorted(dialled.keys() - begun)
    return ledger


def _judge(ledger, row, call_id, did, cut):
    """They differ. Without a cut that is wrong. With one, ccs may know nothing, or, of a call that was not answered, why
    only in part; but never may it take an answered call for another, or the other way round."""
    if cut and row["disposition"] == "unknown":
        ledger.in_doubt[row["server_code"]] += 1
    elif not cut or did == "nothing" or "completed" in (row["disposition"], did):
        ledger.wrong.append(f"{call_id} on {row['server_code']}: {row['disposition']} "
                            f"({row['reason']}), the far end did {did}")


def unheard_since(cut, deaf) -> float:
    """From when on what was said may have been lost with a connection that was cut then."""
    return min((since for since, until in deaf if since <= cut and cut - _AROUND_CUT_S <= until), default=cut) - _AROUND_CUT_S


def _was_cut(book, row, ending, deaf) -> bool:
    """Did the call's server lose a connection, its life or its voice during the call? What it has
    never read, it lost with a connection, however much later."""
    began = row["armed"] - _AROUND_CUT_S
    ended = ending.at if ending else math.inf
    silent_since = math.inf
    for at, fact, text in book.incidents[row["server_code"]]:
        if fact in ("cut", "stop") and began <= at and unheard_since(at, deaf) <= ended:
            return True
        if fact == "mood":
            if silent_since <= ended + _AROUND_CUT_S and began <= at:
                return True
            silent_since = at if "silent" in text else math.inf
    return False
