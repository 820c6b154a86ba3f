"""The tables of the numbering plans against libphonenumber, on a million numbers of all regions."""
import re
import subprocess

from places import PROGRAMS


def test_a_million_numbers_agree_with_the_library():
    done = subprocess.run([PROGRAMS / "tests/unit/registry/test_number_agree", "1000000"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"# 1000000 numbers, \d{6} valid", done.stdout), done.stdout
