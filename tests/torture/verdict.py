"""What the torture has to leave behind: the farm's own book beside PostgreSQL, and PostgreSQL beside itself."""
import collections
from dataclasses import dataclass

from farmed import WINDOW, compare, unheard_since

AHEAD = 8  # calls of one server that may be armed ahead, at most

_ACKNOWLEDGED = """
create table torture_acknowledged (control_id bigint not null);
create function torture_note() returns trigger language plpgsql security definer as $$
begin
    insert into torture_acknowledged values (new.id);
    return null;
end $$;
create trigger torture_note after update of done_at on control for each row execute function torture_note();
"""

OPEN = """
select (select count(*) from entry) - (select count(*) from call_detail where is_final) as entries,
       (select count(*) from chunk where closed_at is null) as chunks,
       (select count(*) from control where done_at is null) as controls
"""

# Each counts what must not be: rows of it are shown.
_BOOKKEEPING = {
    "entries without exactly one end":
        "select e.entry_id from entry e where 1 <> (select count(*) from call_detail d where d.entry_id = e.entry_id"
        " and d.is_final)",
    "attempts without a detail, or details without an attempt":
        "select coalesce(a.entry_id, d.entry_id) from attempt a full join (select * from call_detail where n > 0) d"
        " on a.entry_id = d.entry_id and a.n = d.n where a.n is null or d.n is null",
    "clients whose events are not numbered 1, 2, ...":
        "select client_id, count(*), max(seq) from event group by 1 having count(*) <> max(seq)",
    "calls with another event than one start at most and one end":
        "select entry_id, n, array_agg(type) from event where entry_id is not null group by 1, 2 having count(*) filter"
        " (where type in ('call_ended', 'call_failed')) <> 1 or count(*) filter (where type = 'call_started') > 1"
        " or count(*) filter (where type = 'call_answered') > 1",
    "batches whose counts are not those of their details":
        "select m.id from queue_master m where coalesce((select sum(entries) from rollup_batch r"
        " where r.queue_master_id = m.id), 0) <> (select count(*) from call_detail d where d.queue_master_id = m.id and"
        " d.is_final)",
    "batches that are not finished": "select id, open_chunks from queue_master where finished_at is null or open_chunks <> 0",
    "clients whose hours do not hold all their calls":
        "select c.id from client c where coalesce((select sum(calls) from rollup_hour r where r.client_id = c.id), 0)"
        " <> (select count(*) from call_detail d where d.client_id = c.id and d.n > 0)",
    "clients whose days do not hold all their attempts":
        "select c.id from client c where coalesce((select sum(calls) from rollup_region r where r.client_id = c.id), 0)"
        " <> (select count(*) from attempt a where a.client_id = c.id)",
    "controls that were not acknowledged exactly once":
        "select c.id from control c where 1 <> (select count(*) from torture_acknowledged a where a.control_id = c.id)",
}


def prepare(live):
    """Before the first control: from now on each acknowledgement leaves a trace."""
    live.sql(_ACKNOWLEDGED)
    live.sql("insert into torture_acknowledged select id from control where done_at is not null")


@dataclass
class Bound:
    """How many calls may be in doubt: of each connection that was cut, what was armed ahead and what was written and not
    answered; and what ended, never answered, while no connection stood to tell it."""

    cuts: int
    unseen: int

    @property
    def most(self):
        return self.cuts * (AHEAD + WINDOW) + self.unseen

    def __str__(self):
        return (f"{self.most} = {self.cuts} cuts x ({AHEAD} armed ahead + {WINDOW} unanswered) + {self.unseen} that ended,"
                " not answered, while no connection stood")


def bound(book, deaf) -> Bound:
    """From the farm's book, and from when the dispatcher could not read."""
    cuts, gaps = 0, {}
    for server, incidents in book.incidents.items():
        gaps[server] = _gaps(incidents, deaf)
        cuts += sum(fact in ("cut", "stop") for _, fact, _ in incidents)
    unseen = sum(not ending.answered and _inside(gaps.get(ending.server, []), ending.at)
                 for ending in book.endings.values())
    return Bound(cuts, unseen)


def _gaps(incidents, deaf) -> list:
    """From what each cut may have lost until the list of channels that follows the next login."""
    found, began = [], None
    for at, fact, _ in sorted(incidents):
        if fact in ("cut", "stop") and began is None:
            began = at
        elif fact == "login" and began is not None:
            found.append((unheard_since(began, deaf), at + 3))
            began = None
    return found + ([(unheard_since(began, deaf), float("inf"))] if began is not None else [])


def _inside(gaps, at) -> bool:
    return any(first <= at <= last for first, last in gaps)


@dataclass
class Verdict:
    """violations: what makes the run fail, each with a few examples."""

    violations: dict
    figures: list  # (what, value), for people

    @property
    def passed(self):
        return not self.violations


def judge(live, striker, callers, open_after_s) -> Verdict:
    """Everything has stopped. open_after_s: how long the last entry took; None when some never ended."""
    violations, figures = {}, []

    def must_be_empty(what, found):
        figures.append((what, len(found)))
        if found:
            violations[what] = [str(one) for one in found[:10]]

    deaf = striker.deaf()
    ledger, book = compare(live, deaf), live.stack.rig().book()
    limit, unknown = bound(book, deaf), ledger.dispositions["unknown"]
    figures += [("calls", ledger.dispositions.total()), ("Originates that the farm has read", len(book.originates)),
                ("seconds until everything had ended", "never" if open_after_s is None else f"{open_after_s:.0f}")]
    figures += [(f"  {name}", n) for name, n in sorted(ledger.dispositions.items(), key=str)]
    must_be_empty("attempts dialled twice", ledger.dialled_twice)
    must_be_empty("dialled without an attempt", ledger.not_begun)
    must_be_empty("not one detail, one end, one start", ledger.not_one_end)
    must_be_empty("not as the far end did", ledger.wrong)
    for what, query in _BOOKKEEPING.items():
        must_be_empty(what, live.sql(query))
    must_be_empty("answered with 200 and not there, or there and never asked for", _lost(live, callers))
    must_be_empty("answers that no crash excuses", [wrong for caller in callers for wrong in caller.wrong])
    figures.append(("unknown", unknown))
    figures.append(("of at most", limit))
    if unknown > limit.most:
        violations["more unknown than the bound"] = [f"{unknown} > {limit}"]
    return Verdict(violations, figures)


def _lost(live, callers) -> list:
    """Batches and quick calls of which not exactly what was answered is stored."""
    odd = []
    for caller in callers:
        stored = dict(live.sql("select m.batch_id, count(e.entry_id) from queue_master m left join entry e"
                               " on e.queue_master_id = m.id where m.client_id = %s group by 1", caller.client.client_id))
        odd += [f"batch {batch}: {caller.batches.get(batch)} answered, {stored.get(batch)} stored"
                for batch in stored.keys() | caller.batches.keys() if stored.get(batch) != caller.batches.get(batch)]
        quick = collections.Counter(f"ccs-{row[0]:014x}01" for row in live.sql(
            "select entry_id from entry where client_id = %s and queue_master_id is null", caller.client.client_id))
        odd += [f"quick call {call}" for call in quick.keys() ^ set(caller.quick)]
    return odd
