"""Calling hours against Python's zoneinfo: random rules and instants, in zones with all kinds of clocks."""

import datetime
import random
import subprocess
import zoneinfo

from places import PROGRAMS

ZONES = ["Asia/Kolkata", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago",
         "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Apia", "Europe/Dublin", "Asia/Gaza", "UTC"]
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
EPOCH = datetime.date(1970, 1, 1)
DAY = 86400


class Rule:
    """What shm/calling_time.h says, an instant at a time and as slowly as it may be."""

    def __init__(self, dice):
        self.zone = dice.choice(ZONES)
        self.hours = self.draw_hours(dice)
        self.weekdays = {}
        if dice.random() < 0.6:
            for day in dice.sample(range(7), dice.randint(1, 7)):
                self.weekdays[day] = self.draw_hours(dice) if dice.random() < 0.3 else self.hours
        self.holidays = set()
        self.clock = zoneinfo.ZoneInfo(self.zone)

    @staticmethod
    def draw_hours(dice):
        opens = dice.randrange(0, DAY, 300)
        return (opens, opens if dice.random() < 0.1 else dice.randrange(0, DAY, 300))

    def question(self, at):
        days = " ".join(f"{WEEKDAYS[day]}:{shown(opens)}-{shown(closes)}" if (opens, closes) != self.hours else WEEKDAYS[day]
                        for day, (opens, closes) in self.weekdays.items())
        holidays = " ".join(str((day - EPOCH).days) for day in self.holidays)
        return "\t".join([self.zone, str(self.hours[0]), str(self.hours[1]), days, holidays, str(at)])

    def hours_of(self, day):
        if day in self.holidays:
            return None
        return self.weekdays.get(day.weekday()) if self.weekdays else self.hours

    def is_open(self, at):
        local = datetime.datetime.fromtimestamp(at, self.clock)
        second = local.hour * 3600 + local.minute * 60 + local.second
        own = self.hours_of(local.date())
        before = self.hours_of(local.date() - datetime.timedelta(days=1))
        if local.date() in self.holidays:
            return False
        if before and before[1] < before[0] and second < before[1]:
            return True
        if not own:
            return False
        opens, closes = own
        return opens == closes or (opens <= second and (second < closes or closes < opens))


def shown(second):
    return f"{second // 3600:02}:{second // 60 % 60:02}"


def changes_near(dice, zone):
    """An instant, most often within two days of a change of the clocks."""
    at = dice.randrange(1767225600, 1767225600 + 12 * 365 * DAY)
    if dice.random() < 0.3:
        return at
    clock = zoneinfo.ZoneInfo(zone)
    offset = datetime.datetime.fromtimestamp(at, clock).utcoffset()
    for day in range(1, 366):
        if datetime.datetime.fromtimestamp(at + day * DAY, clock).utcoffset() != offset:
            return at + day * DAY + dice.randrange(-2 * DAY, 2 * DAY)
    return at


def draw(dice):
    rule = Rule(dice)
    at = changes_near(dice, rule.zone)
    if dice.random() < 0.5:
        today = datetime.datetime.fromtimestamp(at, rule.clock).date()
        rule.holidays = {today + datetime.timedelta(days=dice.randrange(0, 8)) for _ in range(3)}
    return rule, at


def test_U14_hours_agree_with_python_on_all_clocks():
    dice = random.Random(20261123)
    cases = [draw(dice) for _ in range(6000)]
    asked = "\n".join(rule.question(at) for rule, at in cases)
    answers = subprocess.run([PROGRAMS / "tests/system/hours_probe"], input=asked, text=True, capture_output=True,
                             check=True, timeout=60).stdout.splitlines()
    assert len(answers) == len(cases)
    closed = 0
    for (rule, at), answer in zip(cases, answers):
        word, until = answer.split()
        told = f"{rule.question(at)!r}: {answer}"
        assert (word == "open") == rule.is_open(at), told
        if until == "-":
            assert word == "open" and rule.hours[0] == rule.hours[1], told
            continue
        until = int(until)
        assert until > at, told
        inside = [until - 1] + [dice.randrange(at, until) for _ in range(6)]
        assert all(rule.is_open(moment) == (word == "open") for moment in inside), told
        if word == "closed":
            closed += 1
            assert rule.is_open(until), told
    assert 1000 < closed < 5000
