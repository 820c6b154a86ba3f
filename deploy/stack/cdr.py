"""Asterisk's own call records (cdr_csv), to check against what ccs says happened."""
import csv
from collections import defaultdict
from dataclasses import dataclass

_COLUMNS = ("accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp",
            "lastdata", "start", "answer", "end", "duration", "billsec", "disposition", "amaflags",
            "uniqueid", "userfield")


@dataclass(frozen=True)
class Cdr:
    """One channel's record. Times are UTC texts in whole seconds, answer empty without one."""

    unique_id: str
    account: str
    caller: str
    number: str  # the last extension: on the far end the number that was dialled
    context: str
    channel: str
    start: str
    answer: str
    end: str
    duration: int
    billsec: int
    disposition: str  # Asterisk's word: ANSWERED, BUSY, NO ANSWER, CONGESTION, FAILED


def read(cdr_file) -> list[Cdr]:
    """All records of one server so far; none when it has not written its file yet."""
    try:
        with open(cdr_file, newline="", encoding="utf-8", errors="replace") as lines:
            rows = [dict(zip(_COLUMNS, row)) for row in csv.reader(lines)]
    except FileNotFoundError:
        return []
    return [Cdr(row["uniqueid"], row["accountcode"], row["src"], row["dst"], row["dcontext"],
                row["channel"], row["start"], row["answer"], row["end"], int(row["duration"]),
                int(row["billsec"]), row["disposition"])
            for row in rows if len(row) == len(_COLUMNS)]  # the last line may be half written


def by_attempt(rig) -> dict[str, list[Cdr]]:
    """The records our servers wrote for each attempt, keyed by its id (the ChannelId).

    An attempt that made no channel has none; any other must have exactly one. The far half of a
    Local/ channel, "<id>;2", is the called party's and not counted.
    """
    found = defaultdict(list)
    for server in rig.servers:
        for cdr in read(server.cdr_file):
            if not cdr.unique_id.endswith(";2"):
                found[cdr.unique_id].append(cdr)
    return dict(found)


def far_calls(rig) -> list[Cdr]:
    """What the called parties did, one record for each time a telephone was rung."""
    if rig.far_end:
        return read(rig.far_end.cdr_file)
    return [cdr for server in rig.servers for cdr in read(server.cdr_file)
            if cdr.unique_id.endswith(";2")]
