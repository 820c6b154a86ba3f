"""The code blocks of the integration document, for running them as a reader would."""
import json
import re
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).with_name("onboarding.md")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ENDPOINT = re.compile(r"^```http\n(GET|POST) (/\S+)\n```\n+\*\*Response:\*\*\n+```json\n(.*?)^```$",
                       re.MULTILINE | re.DOTALL)
_HOSTS = re.compile(r"(https|wss)://(?:api\.example\.com|your-domain\.com)")
_KEY = re.compile(r"your_api_key(?:_here)?")


@dataclass(frozen=True)
class Block:
    """One fenced block: language, text, and the document's line on which it begins."""

    language: str
    text: str
    line: int

    def filled_in(self, base_url, key, **own) -> str:
        """With what a reader must put in, and not a byte changed otherwise: host and key, and your_NAME for every NAME."""
        host = base_url.removeprefix("https://")
        text = _KEY.sub(key, _HOSTS.sub(rf"\1://{host}", self.text))
        for name, value in own.items():
            assert f"your_{name}" in text, name
            text = re.sub(rf"\byour_{name}\b", value, text)
        return text


def blocks(language) -> list[Block]:
    text = DOCUMENT.read_text()
    return [Block(match[1], match[2], text.count("\n", 0, match.start()) + 2)
            for match in _BLOCK.finditer(text) if match[1] == language]


def block(language, containing) -> Block:
    """The one block of this language that contains these words."""
    found = [one for one in blocks(language) if containing in one.text]
    assert len(found) == 1, f"{len(found)} {language} blocks contain {containing!r}"
    return found[0]


def endpoints() -> dict:
    """Every endpoint printed with its answer: "GET /path?query" -> the answer's JSON."""
    return {f"{match[1]} {match[2]}": json.loads(match[3])
            for match in _ENDPOINT.finditer(DOCUMENT.read_text())}


def troubleshooting() -> dict:
    """The Troubleshooting Guide: each Problem -> its Solutions, line by line as printed."""
    guide = DOCUMENT.read_text().partition("## Troubleshooting Guide")[2].partition("### Debugging Tips")[0]
    problems = {}
    for line in guide.splitlines():
        if line.startswith("**Problem**: "):
            solutions = problems[line.removeprefix("**Problem**: ")] = []
        elif line.startswith("- "):
            solutions.append(line.removeprefix("- "))
    return problems


def best_practices() -> list[str]:
    """The Best Practices, each as printed."""
    text = DOCUMENT.read_text().partition("### Best Practices")[2]
    return re.findall(r"^\d+\. \*\*(.+)\*\*$", text, re.MULTILINE)
