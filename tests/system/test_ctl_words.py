"""What is made of ccsctl's table of commands: completion for bash, and the manual page."""
import re
import subprocess

import pytest
from places import PROGRAMS, ROOT

COMPLETION, MANUAL = PROGRAMS / "ctl/ccsctl.bash", PROGRAMS / "ctl/ccsctl.8"
COMMANDS = re.findall(r'^COMMAND\("([\w-]+)", "([\w-]*)", "(.*?)",', (ROOT / "ctl/commands.def").read_text(), re.M)


def completed(*words) -> list:
    """What bash offers for the last of these words."""
    script = """
        source "$1"; shift
        COMP_WORDS=(ccsctl "$@") COMP_CWORD=$#
        _ccsctl && printf "%s\\n" "${COMPREPLY[@]}" """
    done = subprocess.run(["bash", "-c", script, "bash", COMPLETION, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_nouns_then_verbs_then_options():
    assert {noun for noun, _, _ in COMMANDS} <= set(completed(""))
    assert completed("cli") == ["client", "client-db", "client-cert"]
    assert completed("client", "") == [verb for noun, verb, _ in COMMANDS if noun == "client"]
    assert completed("-c", "/etc/ccs.conf", "server", "dr") == ["drain"]
    assert completed("--config", "=", "/etc/ccs.conf", "server", "dr") == ["drain"]
    assert completed("client", "set", "ACME", "--allocated") == ["--allocated-channels="]
    assert completed("halt", "--") == completed("halt", "ACME", "--") and "--all" in completed("halt", "--")
    assert completed("nothing", "") == []


@pytest.mark.parametrize("noun, verb, arguments", COMMANDS, ids=lambda word: word or "-")
def test_every_option_of_every_command_is_offered_and_in_the_manual(noun, verb, arguments):
    program = PROGRAMS / "ccsctl"
    told = subprocess.run([program, noun, *filter(None, [verb]), "--help"], capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"^ +(?:-\w, )?--([\w-]+)", told, re.M)) - {"help", "usage", "version"}
    offered = {word.strip("-=") for word in completed(noun, *filter(None, [verb]), "--")} - {"help"}
    assert options and options == offered
    page = MANUAL.read_text().replace("\\-", "-")
    section = page.split(f'.SS "ccsctl {" ".join(filter(None, [noun, verb]))}', 1)[1].split(".SS", 1)[0]
    assert options - {"json", "yes"} <= set(re.findall(r"^\\fB--([\w-]+)", section, re.M))


def test_files_are_offered_where_one_is_asked_for(tmp_path, monkeypatch):
    (tmp_path / "numbers.csv").touch()
    monkeypatch.chdir(tmp_path)
    assert completed("batch", "load", "ACME", "num") == completed("client", "add", "--file", "=", "num") == ["numbers.csv"]
    assert completed("client", "add", "--file", "=") == ["numbers.csv"]
    assert completed("client", "list", "num") == []


def test_the_manual_is_good_roff():
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-rLL=78n", MANUAL], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    assert "NAME" in text and "EXIT STATUS" in text and "ccsctl client add" in text
