"""The command line that the services share."""
import subprocess

import pytest
from places import PROGRAMS, ROOT

SERVICES = ("ccs-api", "ccs-dispatcher", "ccs-relay", "ccs-courier")
VERSION = (ROOT / "VERSION").read_text().strip()
USAGE, CONFIG = 64, 78  # sysexits.h


@pytest.fixture(params=SERVICES)
def run(request):
    return lambda *arguments: subprocess.run([PROGRAMS / request.param, *map(str, arguments)],
                                             text=True, capture_output=True, timeout=30)


def test_help_names_the_options(run):
    said = run("--help")
    assert said.returncode == 0
    assert "--config=FILE" in said.stdout and "--verbose" in said.stdout


def test_version(run):
    said = run("--version")
    assert said.returncode == 0
    assert said.stdout.split()[1:] == [VERSION]


def test_an_unknown_option_is_refused(run):
    said = run("--no-such-option")
    assert said.returncode == USAGE
    assert "--help" in said.stderr


def test_a_configuration_that_is_not_there_is_named(run, tmp_path):
    said = run("-c", tmp_path / "absent.conf")
    assert said.returncode == CONFIG
    assert str(tmp_path / "absent.conf") in said.stderr


def test_an_unknown_setting_is_named_with_its_line(run, tmp_path):
    (tmp_path / "ccs.conf").write_text("[common]\nnode = x\nno_such = 1\n")
    said = run("-c", tmp_path / "ccs.conf")
    assert said.returncode == CONFIG
    assert "no_such" in said.stderr and "3" in said.stderr.split("why=")[1]
