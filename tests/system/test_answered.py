"""The answered call on a real Asterisk: the sample dialplan asks what it is about, tells what was answered, records, and finds out
who answers."""
import array
import contextlib
import csv
import io
import math
import os
import subprocess
import time
import wave
from pathlib import Path

import pytest

from places import ROOT
from stack import asterisk as rigs
from stack import numbers
from stack.proc import wait_until

AGI = ROOT / "deploy/asterisk/sample/ccs-agi"


@pytest.fixture(scope="module")
def key(stack):
    return stack.ctl_json("key", "add", "--server-code=ast1", "--name=dialplan")["api_key"]


@pytest.fixture(scope="module")
def server(stack, asterisk, key):
    rig = stack.stack.rig()
    for name, value in {"CCS_URL": stack.base_url, "CCS_KEY": key, "CCS_CA": stack.ca_file}.items():
        rigs.cli(rig, "ast1", f"dialplan set global {name} {value}")
    return rig.servers[0]


@contextlib.contextmanager
def context(stack, name):
    """Where answered calls go on, of the one server."""
    stack.sql("update server set context = array[%s] where server_code = 'ast1'", name)
    stack.reload()
    yield
    stack.sql("update server set context = '{ccs-answered}' where server_code = 'ast1'")
    stack.reload()


def options(stack, client, **values):
    stack.stack.ccs.ctl("client", "set", client.accountcode,
                        *(f"--{name}={value}" for name, value in values.items()))
    stack.reload()


def told(client, call_id):
    """The end of a call, as GET /calls has it."""
    return wait_until(lambda: (call := client.api.get(f"/calls/{call_id}", wait=10).ok)["ended_at"] and call, seconds=60,
                      what=f"{call_id} is over")


def test_U17_a_survey_in_details_events_and_csv(stack, server):
    client = stack.new_client("SURVEY")
    with context(stack, "ccs-survey"):
        batch = client.insert([numbers.presses(digit) for digit in "047"], custom_data={"customer_id": "CUST-7", "x": [1]})
        client.dispatch()
        report = client.wait_finished(batch)
    assert report.dispositions == {"completed": 3}
    expected = {numbers.presses(digit): {"digit": digit, "customer": "CUST-7"} for digit in "047"}

    details = client.api.get("/client-call-details/details", batch_id=batch).ok["items"]
    assert {row["phone_number"]: row["result"] for row in details} == expected
    assert {row["answered_by"] for row in details} == {None}
    assert told(client, details[0]["call_id"])["result"] == details[0]["result"]

    text = client.api.get("/client-call-details/details", batch_id=batch, format="csv").body.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 3 and all(f'"{row["phone_number"][-1]}"' in row["result"] for row in rows)

    events = client.api.get("/events", types="call_ended", batch_id=batch).ok["items"]
    assert {event["payload"]["phone_number"]: event["payload"]["result"] for event in events} == expected


def test_U17_machines_are_told_from_people(stack, server):
    client = stack.new_client("LISTENER")
    options(stack, client, amd="yes")
    machine = told(client, client.call(numbers.MACHINE))
    assert (machine["disposition"], machine["answered_by"]) == ("completed", "machine")
    assert machine["result"]["amd_status"] == "MACHINE" and machine["result"]["amd_cause"]

    def person():
        """A busy processor can cut a hello into words: then it is taken for a machine."""
        call = told(client, client.call(numbers.PERSON))
        assert call["answered_by"] in ("human", "machine", "unknown") and call["result"]["amd_cause"]
        return call["answered_by"] == "human" and call

    assert wait_until(person, seconds=60, what="a hello is a human's")["result"]["amd_status"] == "HUMAN"
    options(stack, client, amd="no")
    assert told(client, client.call(numbers.PERSON))["answered_by"] is None


def loudness(file):
    """Seconds, and root mean square, of a recording; None while it is being written."""
    try:
        with wave.open(str(file)) as sound:
            seconds = sound.getnframes() / sound.getframerate()
            samples = array.array("h", sound.readframes(sound.getnframes()))
    except (OSError, EOFError, wave.Error):
        return None
    return samples and (seconds, math.sqrt(sum(s * s for s in samples) / len(samples)))


def test_U24_recordings_have_sound(stack, server, asterisk):
    client = stack.new_client("RECORDED")
    options(stack, client, record="yes")
    [number] = asterisk.numbers("speaks", talk=1)
    spoken, busy = client.call(number), client.call(asterisk.numbers("busy")[0])
    call = told(client, spoken)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    assert call["recording"] in {f"RECORDED/{day}/{spoken}.wav", f"RECORDED/{call['started_at'][:10]}/{spoken}.wav"}
    file = Path(server.recording_dir) / call["recording"]
    seconds, rms = wait_until(lambda: (heard := loudness(file)) and heard[0] > 1 and heard, seconds=10,
                              what=f"{file} holds a second of sound")
    assert seconds < 60 and rms > 50
    assert told(client, busy)["recording"] is None


def test_U24_a_batch_says_otherwise_than_its_client(stack, server):
    client = stack.new_client("OTHERWISE")
    options(stack, client, record="yes")
    client.api.post("/queues/insertdataincallqueue/", {"batch_id": 1, "data": [{"phone_number": numbers.MACHINE}],
                                                       "record": False, "amd": True}).ok
    client.dispatch()
    client.wait_finished(1)
    [row] = client.api.get("/client-call-details/details", batch_id=1).ok["items"]
    assert (row["recording"], row["answered_by"]) == (None, "machine")


class Asked:
    """Asterisk's side of AGI."""

    def __init__(self, stack, key_file, call_id):
        self.variables = {}
        self._call_id = call_id
        self._child = subprocess.Popen([AGI], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                       env={**os.environ, "SSL_CERT_FILE": str(stack.ca_file)})
        self._say(f"agi_request: {AGI}\nagi_arg_1: {stack.base_url}\nagi_arg_2: {key_file}\n")
        for line in self._child.stdout:
            if line.startswith("GET VARIABLE CCS_CALL_ID"):
                self._say(f"200 result=1 ({self._call_id})")
            else:
                _, _, name, value = line.rstrip("\n").split(" ", 3)
                self.variables[name] = value
                self._say("200 result=1")
        self._child.stdin.close()
        assert self._child.wait(10) == 0

    def _say(self, text):
        self._child.stdin.write(text + "\n")
        self._child.stdin.flush()


def test_U24_the_agi_sample_fills_the_same_hash(stack, asterisk, key, tmp_path):
    client = stack.new_client("AGI")
    (tmp_path / "key").write_text(key + "\n")
    call_id = client.call(asterisk.numbers("stays")[0], custom_data={"name": 'Zoë "co"\\', "bad name": 1, "two": "a\nb"})
    stack.wait_until(lambda: client.live_calls() == 1, "the call is live")
    said = Asked(stack, tmp_path / "key", call_id).variables
    assert said["CCS_AGI"] == '"OK"' and said["HASH(ccs,call_id)"] == f'"{call_id}"'
    assert said["HASH(ccs,custom_data.name)"] == '"Zoë \\"co\\"\\\\"' and said["HASH(ccs,custom_data.two)"] == '"ab"'
    client.api.post(f"/calls/{call_id}/hangup")
    client.outcome(call_id)
    stack.wait_until(lambda: client.live_calls() == 0, "it is over")
    assert Asked(stack, tmp_path / "key", call_id).variables == {"CCS_AGI": '"HTTP 404"'}
