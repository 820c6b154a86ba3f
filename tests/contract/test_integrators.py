"""docs/INTEGRATORS.md is true when run, and what it and the other pages point at is there."""
import os
import re
import subprocess

import pytest
from document import best_practices
from places import ROOT

PAGE = ROOT / "docs/INTEGRATORS.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def test_the_commands_of_the_page(stack, asterisk, tmp_path):
    client = stack.new_client("NEWCOMER")
    text = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    number, other = asterisk.numbers("busy", 2)
    for written, filled_in in {"https://calls.example.com": stack.base_url, "your_api_key": client.key,
                               "9876543210": number, "9876543211": other,
                               "docs/examples": str(ROOT / "docs/examples")}.items():
        assert written in text
        text = text.replace(written, filled_in)
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "CCS_CA": str(stack.ca_file)}, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert f'"accountcode":"{client.accountcode}"' in done.stdout
    assert '"message":"Call queued successfully"' in done.stdout and '"disposition":"busy"' in done.stdout
    assert '"inserted_count":2' in done.stdout and '"dispatched":2' in done.stdout
    assert '"Grand Total"' in done.stdout
    client.wait_finished(12345)


def test_every_best_practice_points_at_running_code():
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", PAGE.read_text().partition("## Good practice")[2], re.MULTILINE))
    assert list(rows)[1:] == best_practices()
    for practice in best_practices():
        links = [link for link, _ in _LINK.findall(rows[practice])]
        assert links and all(link.startswith("examples/") for link in links), practice
        for name in re.findall(r"`(\w+)`", rows[practice]):
            assert any(name in (PAGE.parent / link).read_text() for link in links), f"{name} is in none of {links}"


def anchors(page):
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(page.read_text())}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for path, anchor in _LINK.findall(page.read_text()):
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} points at {path}, which is not there"
        if anchor and target.suffix == ".md":
            assert anchor[1:] in anchors(target), f"{target.name} has no heading {anchor}"


def test_every_example_is_named():
    text = "".join(page.read_text() for page in (PAGE, ROOT / "docs/examples/README.md"))
    for path in (ROOT / "docs/examples").glob("*/*"):
        if path.is_file():
            assert path.name in text, path
