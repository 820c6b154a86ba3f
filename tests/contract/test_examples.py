"""docs/examples/ does what it says, also when answers are lost and requests refused."""
import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
from contract_proxy import PRISM, contract_proxy
from places import ROOT
from troubled import WAIT_S, troubled

EXAMPLES = ROOT / "docs/examples"
RUN = {"python": ["/usr/bin/python3", "python/{}.py"], "javascript": ["node", "javascript/{}.js"],
       "php": ["php", "php/{}.php"], "shell": ["bash", "shell/{}.sh"]}
LISTENERS = ("python", "javascript")
SECONDS = 120


@dataclass
class Ran:
    lines: list
    log: str
    proxy: object = None


def environment(stack, url, **more):
    certificate = str(stack.ca_file)
    without = ("CCS_", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
    return {**{name: value for name, value in os.environ.items() if not name.startswith(without)},
            "CCS_URL": url, "CCS_CA": certificate, "NODE_EXTRA_CA_CERTS": certificate,
            "NODE_PATH": "/usr/share/nodejs", "PYTHONUNBUFFERED": "1", **more}


def start(language, name, arguments, **how):
    interpreter, path = RUN[language]
    return subprocess.Popen([interpreter, EXAMPLES / path.format(name), *arguments], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


def end(process) -> Ran:
    output, log = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, f"{output}\n{log}"
    return Ran(output.splitlines(), log)


def run_all(stack, name, arguments_of, environment_of):
    """Runs the example in all languages at the same time; language -> Ran."""
    processes = {language: start(language, name, arguments_of(language), env=environment_of(language))
                 for language in RUN}
    return {language: end(process) for language, process in processes.items()}


@pytest.fixture(scope="module")
def clients(stack):
    return {language: stack.new_client(f"EX-{language[:4].upper()}", channels=10) for language in RUN}


@pytest.fixture(scope="module")
def batches(asterisk):
    """Numbers of two batches for each language: answered, busy, and one that is none."""
    return {language: [[*asterisk.numbers("answered", 2, talk=1), *asterisk.numbers("busy"), "12"] for _ in range(2)]
            for language in RUN}


@pytest.fixture(scope="module")
def by_password(stack, clients, batches, tmp_path_factory):
    """All campaigns, signed in with a password; through a contract proxy that judges requests, if there is one: it takes no
    number that is none."""
    judge = contract_proxy(stack, tmp_path_factory.mktemp("judge") / "prism", strict=True) if PRISM else \
        contextlib.nullcontext(stack.base_url)
    with judge as url:
        return run_all(stack, "campaign", lambda language: ["7001", *batches[language][0][:3]],
                       lambda language: environment(stack, url, CCS_USERNAME=clients[language].username,
                                                    CCS_PASSWORD=clients[language].password))


@pytest.fixture(scope="module")
def in_trouble(stack, clients, batches, by_password):
    """All campaigns, by key, each in trouble of its own."""
    with contextlib.ExitStack() as open_proxies:
        proxies = {language: open_proxies.enter_context(troubled(stack)) for language in RUN}
        ran = run_all(stack, "campaign", lambda language: ["7002", *batches[language][1]],
                      lambda language: environment(stack, proxies[language][0], CCS_KEY=clients[language].key))
    for language, (_, proxy) in proxies.items():
        ran[language].proxy = proxy
    return ran


def check_campaign(client, ran, batch_id, calls):
    assert ran.lines[:2] == [f"account {client.accountcode}", f"batch {batch_id}: 3 stored"]
    assert "dispatched 3" in ran.lines
    assert ran.lines[-2] == "finished: busy 1, completed 2"
    assert ran.lines[-1].startswith(f"today: {calls} calls, ")


@pytest.mark.parametrize("language", RUN)
def test_campaign_of_somebody_who_signs_in(clients, by_password, language):
    check_campaign(clients[language], by_password[language], 7001, 3)


@pytest.mark.parametrize("language", RUN)
def test_campaign_in_trouble_calls_nobody_twice(asterisk, clients, in_trouble, language):
    ran = in_trouble[language]
    # An answer that was lost may have been that of the dispatch: then the next one has nothing more to release.
    ran.lines = ["dispatched 3" if line == "dispatched 0" else line for line in ran.lines]
    assert "left out: 12 (invalid_number)" in ran.lines
    check_campaign(clients[language], ran, 7002, 6)
    report = clients[language].report(7002)
    assert report.attempts == 3 and set(asterisk.cdr_per_attempt(report).values()) == {1}


@pytest.mark.parametrize("language", RUN)
def test_a_request_is_repeated_as_it_was_and_not_too_early(in_trouble, language):
    seen = in_trouble[language].proxy.seen
    assert {one.trouble for one in seen.values()} == set(in_trouble[language].proxy.TROUBLES)
    for request, one in seen.items():
        assert len(one.attempts) >= 2, f"{request} was given up"
        (first, sent), (second, sent_again) = one.attempts[:2]
        assert sent == sent_again
        assert one.trouble == "answer lost" or second - first >= WAIT_S


@pytest.mark.parametrize("language", RUN)
def test_what_is_logged_names_requests_and_no_secrets(clients, by_password, in_trouble, language):
    client = clients[language]
    for ran in by_password[language], in_trouble[language]:
        said = "\n".join([*ran.lines, ran.log])
        assert client.key not in said and client.password not in said and "eyJ" not in said


@pytest.mark.parametrize("language", RUN)
def test_a_refusal_is_an_error_with_its_request_id(stack, clients, language):
    env = environment(stack, stack.base_url, CCS_KEY=clients[language].key + "x")
    process = start(language, "campaign", ["7003", "9876543210"], env=env)
    output, log = process.communicate(timeout=SECONDS)
    assert process.returncode != 0 and output == ""
    assert "401 key_malformed" in log and "(request " in log


def test_a_file_is_sent_in_pieces_and_stored_once(stack, asterisk, clients, tmp_path):
    """CSV, then NDJSON, each once more: what was stored is answered again."""
    first, second = asterisk.numbers("busy", 2)
    files = {7101: tmp_path / "list.csv", 7102: tmp_path / "list.ndjson"}
    files[7101].write_text(f"phone_number,row\r\n{first},1\r\n12,2\r\n{second},3\r\n")
    files[7102].write_text(f'{{"phone_number": "{first}"}}\n{{"phone_number": "12"}}\n{{"phone_number": "{second}"}}\n')
    for batch_id, file in files.items():
        for _ in range(2):
            ran = run_all(stack, "load", lambda _: [str(batch_id), str(file)],
                          lambda language: environment(stack, stack.base_url, CCS_KEY=clients[language].key))
            for language, said in ran.items():
                assert said.lines[0] == f"batch {batch_id}: 2 stored, 1 left out", language
                assert said.lines[1].startswith("left out: phone_number of line ") and len(said.lines) == 2
    for client in clients.values():
        assert client.report(7101).total == client.report(7102).total == 2


@pytest.mark.parametrize("language", LISTENERS)
def test_listener_tells_of_calls_and_connects_again(stack, asterisk, clients, tmp_path, language):
    client, output = clients[language], tmp_path / "output"
    said = output.read_text
    [busy, again] = asterisk.numbers("busy", 2)
    interpreter, path = RUN[language]
    with open(output, "wb") as file:
        process = subprocess.Popen([interpreter, EXAMPLES / path.format("listen")], stdin=subprocess.DEVNULL, stdout=file,
                                   stderr=file, env=environment(stack, stack.base_url, CCS_KEY=client.key))
        try:
            stack.wait_until(lambda: '"subscribed"' in said(), "it has subscribed")
            call_id = client.call(busy)
            stack.wait_until(lambda: f"call_failed {call_id} {busy} busy" in said(), "it has told of the call")
            assert f"call_started {call_id} {busy}" in said()
            stack.stop("relay")
            missed = client.call(again)
            client.outcome(missed)
            stack.start("relay")
            stack.wait_until(lambda: f"call_failed {missed} {again} busy" in said(), "it has told of what it missed")
            last = client.call(busy)
            stack.wait_until(lambda: f"call_failed {last} {busy} busy" in said(), "and it goes on")
            for event in "call_started", "call_failed":
                assert [line.split()[1] for line in said().splitlines() if line.startswith(event)] == [call_id, missed, last]
        finally:
            process.kill()
            process.wait()


def test_D9_version_and_what_will_go_are_told(stack):
    env = environment(stack, stack.base_url)
    program = [sys.executable, EXAMPLES / "python/check_api.py"]
    good = subprocess.run(program, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert good.returncode == 0 and "gone: nothing; deprecated: nothing" in good.stdout, good.stderr
    other = subprocess.run([*program, "2"], env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert other.returncode == 1


@pytest.mark.parametrize("language", RUN)
def test_an_order_that_is_sent_twice_is_called_once(stack, asterisk, clients, language):
    client, [number] = clients[language], asterisk.numbers("busy")
    before = client.attempts()
    with troubled(stack) as (url, proxy):
        ran = [end(start(language, "call", ["17", number], env=environment(stack, url, CCS_KEY=client.key)))
               for _ in range(2)]
    [seen] = proxy.seen.values()
    assert seen.trouble == "answer lost" and len(seen.attempts) == 3
    assert ran[0].lines == ran[1].lines and ran[0].lines[0].startswith("call ccs-")
    client.outcome(ran[0].lines[0].removeprefix("call "))
    assert client.attempts() == before + 1


def test_trial_stops_when_the_first_ones_fail(stack, asterisk):
    client = stack.new_client("CAREFUL")
    env = environment(stack, stack.base_url, CCS_KEY=client.key)
    good = asterisk.numbers("busy", 4)
    ran = end(start("python", "trial", ["100", *good], env=env))
    assert [line for line in ran.lines if "stored" in line] == ["batch 100: 3 stored", "batch 101: 1 stored"]
    process = start("python", "trial", ["200", *asterisk.numbers("invalid", 4)], env=env)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1 and "stopped: {'invalid': 3}" in output and "batch 201" not in output
    assert client.report(201).total == 0
