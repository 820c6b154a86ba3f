"""How many API workers there are: ccsctl workers, what it refuses, and pools that change under load."""
import signal

import pytest

from farmed import farmed_stack
from load import Load
from resizing import resize_under_load
from stack.proc import StackError

CHANGES = 6


@pytest.fixture(scope="module")
def live(request):
    with farmed_stack(request, 4, 200, speed=20) as live:
        yield live


@pytest.fixture(autouse=True)
def as_configured(live):
    yield
    live.stack.ccs.ctl("workers", "reset")
    live.wait_until(lambda: len(live.children("api")) == sum(sizes(live).values()), "all have left")


def ctl(live, *words):
    return live.stack.ccs.ctl("workers", *words)


def sizes(live) -> dict:
    return {pool["pool"]: pool["serving"] for pool in live.ctl_json("workers", "show")["pools"]}


def running(live) -> dict:
    return {pool: len(live.workers(pool)) for pool in ("fast", "sql", "call", "login", "admin")}


def wait_sizes(live, **wanted):
    live.wait_until(lambda: running(live) == wanted, f"there are {wanted}")


def test_pools_grow_and_shrink_and_a_restart_keeps_the_numbers(live):
    live.wait_until(lambda: all(sizes(live).values()), "every pool works")  # some may be starting
    usual = sizes(live)
    assert ctl(live, "set", "fast=5", "sql=3") == (
        f"Workers: fast 5, sql 3, call {usual['call']}, login {usual['login']}, admin {usual['admin']}.\n")
    assert sizes(live) == {**usual, "fast": 5, "sql": 3}
    wait_sizes(live, **sizes(live))
    assert "fast 5, sql 3, call 2, login 4" in ctl(live, "set", "login=4")
    live.stop("api")
    live.start("api")
    wait_sizes(live, fast=5, sql=3, call=2, login=4, admin=2)
    ctl(live, "set", "sql=auto")
    assert sizes(live)["sql"] == usual["sql"]
    ctl(live, "reset")
    wait_sizes(live, **usual)
    assert not (live.stack.folder / "workers.conf").exists()


def test_show_says_who_works(live):
    ctl(live, "set", "sql=2")
    live.api.get("/clients/me")
    shown = live.ctl_json("workers", "show")
    serving = {worker["pid"]: worker["pool"] for worker in shown["workers"]}
    live.wait_until(lambda: serving == {pid: pool for pool in ("fast", "sql", "call", "login", "admin")
                                        for pid in live.workers(pool)},
                    "those that were too many have ended")
    for worker in shown["workers"]:
        assert worker["state"] == "serving"
        assert 0 <= worker["age_s"] < 3600 and 100 < worker["memory_kb"] < 100_000
    assert sum(worker["requests"] for worker in shown["workers"] if worker["pool"] == "fast") > 0
    assert shown["slots"] == {"used": len(shown["workers"]), "total": 128}
    origins = {pool["pool"]: pool["origin"] for pool in shown["pools"]}
    assert origins == {"fast": "automatic", "sql": "set", "call": "configured", "login": "automatic",
                       "admin": "configured"}
    assert {pool["master"] for pool in shown["pools"]} \
        == {live.stack.processes()["api"].pid()}
    text = ctl(live, "show")
    assert "sql          2        2        0" in text
    assert f"{len(shown['workers'])} of 128 worker slots are used." in text


@pytest.mark.parametrize("words, why", [
    (["fast=257"], "fast_workers is \"257\"; it must be a whole number from 0 to 256"),
    (["login=65"], "login_workers is \"65\"; it must be a whole number from 0 to 64"),
    (["sql=-1"], "sql_workers is \"-1\""),
    (["sql=2.5"], "sql_workers is \"2.5\""),
    (["quick=3"], "there is no pool \"quick\"; they are fast, sql, call, login and admin"),
    (["sql"], "\"sql\" is not POOL=NUMBER"),
    (["sql=3", "sql=3"], "sql is given twice"),
    (["fast=60", "sql=8", "login=2"], "need 148 worker slots, two each, so that they can roll; "
                                       "segment.worker_slots is 128"),
    (["sql=44", "login=2"], "sql 44, call 2, login 2, admin 2) have 100 connections to PostgreSQL while they roll, all but the "
                            "fast ones, the dispatcher and ccsctl 3 more; its max_connections leaves 97"),
])
def test_what_cannot_be_is_refused_and_changes_nothing(live, words, why):
    before = running(live)
    with pytest.raises(StackError) as refused:
        ctl(live, "set", *words)
    assert why in str(refused.value)
    assert running(live) == before and not (live.stack.folder / "workers.conf").exists()


def test_conf_check_knows_how_many_connections_there_are(live):
    conf = live.stack.ccs.conf
    text = conf.read_text()
    try:
        conf.write_text(f"{text}\n[api]\nsql_workers = 43\nlogin_workers = 2\n")
        with pytest.raises(StackError, match="sql 43, call 2, login 2, admin 2\\) have 98 connections"):
            live.stack.ccs.ctl("conf", "check")
    finally:
        conf.write_text(text)
    assert live.stack.ccs.ctl("conf", "check") == "The configuration is sound.\n"


def test_numbers_for_later_while_the_api_does_not_run(live):
    live.stop("api")
    assert ctl(live, "set", "fast=3").startswith("ccs-api does not run; it will start with fast 3, sql")
    assert [pool["master"] for pool in live.ctl_json("workers", "show")["pools"]] == [None] * 5
    live.start("api")
    live.wait_until(lambda: len(live.workers("fast")) == 3, "it starts with three")


def test_a_file_that_is_none_changes_nothing(live):
    before = set(live.children("api"))
    path = live.stack.folder / "workers.conf"
    path.write_text("[api]\nfast_workers = plenty\n")
    api = live.stack.processes()["api"]
    for number, words in ((signal.SIGUSR1, "at=api.resize_refused"),
                          (signal.SIGHUP, "at=api.reload_refused")):
        log = (live.stack.log_dir / "ccs-api.log").stat().st_size
        api.send(number)
        live.wait_until(lambda: words in live.log_since("ccs-api", log), f"the log has {words}")
        assert 'workers.conf:2: fast_workers is \\"plenty\\"' in live.log_since("ccs-api", log)
    assert set(live.children("api")) == before
    path.unlink()


def test_old_workers_stay_until_new_ones_can_work(live):
    """A configuration that the master can read, and with which no worker can start."""
    conf, api = live.stack.ccs.conf, live.stack.processes()["api"]
    text, before = conf.read_text(), set(live.children("api"))
    log = (live.stack.log_dir / "ccs-api.log").stat().st_size
    with Load(live, live.client, "/clients/me", 4) as load:
        try:
            conf.write_text(text.replace(f"node = {live.stack.node}", "node = no/name"))
            api.send(signal.SIGHUP)
            live.wait_until(lambda: live.log_since("ccs-api", log).count("at=api.worker_refused") > 20,
                            "new workers try in vain")
            assert before <= set(live.children("api"))
        finally:
            conf.write_text(text)
        api.send(signal.SIGHUP)
        live.wait_until(lambda: not before & set(live.children("api")), "all are new")
        load.wait_served(100)
    assert set(load.answers) == {200}


def test_changes_under_load_lose_no_request_and_no_call(live):
    outcome = resize_under_load(live, CHANGES)
    assert outcome.wrong == {} and outcome.unfinished == 0
    assert min(outcome.gets, outcome.misdirected, outcome.quick_calls, outcome.batches) > 10 * CHANGES
    # Announced by workers that come and go, but for what a sweep saw in the moment before.
    assert outcome.swept < (outcome.quick_calls + outcome.batches) / 20
