"""What docs/OPERATIONS.md prints, as it stands there: from a new client to its first answered call, and administration by HTTP."""
import json
import os
import re
import subprocess

from places import ROOT


def printed_commands(heading) -> str:
    """The lines that are indented, between the heading and the next one."""
    page = (ROOT / "docs/OPERATIONS.md").read_text()
    section = re.search(rf"^## {heading}.*?(?=^## )", page, re.M | re.S)[0]
    return "".join(line[4:] + "\n" for line in section.splitlines() if line.startswith("    "))


def with_values(commands, **values) -> str:
    """With other values in the lines that the page says are the reader's."""
    for name, value in values.items():
        commands, n = re.subn(rf"^{name}=.*$", f"{name}={value}", commands, flags=re.M)
        assert n == 1, name
    return commands


def run(stack, commands, folder) -> str:
    """In bash, as an operator; what they print."""
    programs = stack.stack.ccs.programs
    done = subprocess.run(["bash", "-euo", "pipefail"], input=commands, cwd=folder, capture_output=True, text=True,
                          check=False, env={"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder),
                                            "CCS_CONF": str(stack.stack.ccs.conf), "no_proxy": "*",
                                            "CURL_CA_BUNDLE": str(stack.ca_file)})
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def test_day_one_from_client_add_to_the_first_answered_call_as_the_page_prints_it(stack, asterisk, tmp_path):
    [number] = asterisk.numbers("answered", talk=1)
    commands = with_values(printed_commands("Day 1"), API=f"{stack.base_url}/api/v1", SERVER="ast1", NUMBER=number)
    assert commands.index("ccsctl client add") < commands.index("/queues/quickcall/")
    run(stack, commands, tmp_path)
    call = json.loads((tmp_path / "ended.json").read_text())
    assert (call["phone_number"], call["disposition"], call["server_code"]) == (number, "completed", "ast1")
    assert call["billsec"] > 0 and asterisk.times_rung([number]) == {number: 1}
    client = json.loads(stack.stack.ccs.ctl("client", "show", "FIRST", "--json"))
    assert (client["active_time_start"], client["active_time_end"]) == ("09:00:00", "18:00:00")


def test_Q5_the_same_by_http_as_the_page_prints_it(stack, tmp_path):
    commands = with_values(printed_commands("The same by HTTP"), API=f"{stack.base_url}/api/v1", SERVER="ast1")
    said = run(stack, commands, tmp_path)
    client = json.loads(stack.stack.ccs.ctl("client", "show", "SECOND", "--json"))
    assert (client["rate_limit"], client["allocated_channels"]) == (2000, 10)
    assert '{"server_code":"ast1","channels":10,"rate_limit":2000,"automatic":true}' in said
    assert said.index('"action":"key.replace"') < said.index('"action":"client.change"') < said.index('"action":"client.create"')
    assert not list(tmp_path.iterdir())
    key = re.search(r'"id":(\d+),"name":"reports","state":"(\w+)"', said)
    assert key[2] in ("active", "replaced")
