"""Day 1 of docs/OPERATIONS.md, as it is printed there: from a new client to its first answered call."""
import json
import os
import re
import subprocess

from places import ROOT


def printed_commands() -> str:
    """The lines that are indented, between the heading and the next one."""
    page = (ROOT / "docs/OPERATIONS.md").read_text()
    section = re.search(r"^## Day 1.*?(?=^## )", page, re.M | re.S)[0]
    return "".join(line[4:] + "\n" for line in section.splitlines() if line.startswith("    "))


def with_values(commands, **values) -> str:
    """With other values in the lines that the page says are the reader's."""
    for name, value in values.items():
        commands, n = re.subn(rf"^{name}=.*$", f"{name}={value}", commands, flags=re.M)
        assert n == 1, name
    return commands


def test_day_one_from_client_add_to_the_first_answered_call_as_the_page_prints_it(stack, asterisk, tmp_path):
    [number] = asterisk.numbers("answered", talk=1)
    commands = with_values(printed_commands(), API=f"{stack.base_url}/api/v1", SERVER="ast1", NUMBER=number)
    assert commands.index("ccsctl client add") < commands.index("/queues/quickcall/")
    programs = stack.stack.ccs.programs
    done = subprocess.run(["bash", "-euo", "pipefail"], input=commands, cwd=tmp_path, capture_output=True, text=True,
                          check=False, env={"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path),
                                            "CCS_CONF": str(stack.stack.ccs.conf), "no_proxy": "*",
                                            "CURL_CA_BUNDLE": str(stack.ca_file)})
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    call = json.loads((tmp_path / "ended.json").read_text())
    assert (call["phone_number"], call["disposition"], call["server_code"]) == (number, "completed", "ast1")
    assert call["billsec"] > 0 and asterisk.times_rung([number]) == {number: 1}
    client = json.loads(stack.stack.ccs.ctl("client", "show", "FIRST", "--json"))
    assert (client["active_time_start"], client["active_time_end"]) == ("09:00:00", "18:00:00")
