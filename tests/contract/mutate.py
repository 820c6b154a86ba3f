#!/usr/bin/python3
"""Breaks the programs row by row and sees the row's own test turn red (mutations.toml).

  mutate.py [ROW...]     in a copy of the tree, which is built once and then as far as each change needs

A mutation that does not build, or that no test of its row notices, is an error; so is a row that is red before. JOBS says
how many processes build at once. The last line is "N caught, N not".
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
_FAILED = re.compile(r"^FAILED \S+::(test_\w+)", re.MULTILINE)


def mutations() -> list[dict]:
    return tomllib.loads((HERE / "mutations.toml").read_text())["mutation"]


def mutated(mutation, text) -> str:
    """The text of its file as it is to be; ValueError when there is not exactly one place."""
    if text.count(mutation["old"]) != 1:
        raise ValueError(f"{mutation['row']}: {mutation['file']} has {text.count(mutation['old'])} places that read "
                         f"{mutation['old']!r}")
    return text.replace(mutation["old"], mutation["new"])


class Copy:
    """A copy of the tree with a build of its own; a with block."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ccs-mutate-"))
        self.tree, self.out = self.folder / "tree", self.folder / "build"
        shutil.copytree(ROOT, self.tree, ignore=shutil.ignore_patterns(".git", "build", "__pycache__"))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def build(self):
        """What the compiler said when it failed, or None."""
        done = subprocess.run(["make", f"-j{os.environ.get('JOBS', os.cpu_count())}", "NO_INSTALL=1",
                               f"OUT={self.out}", "all", "farm"], cwd=self.tree, capture_output=True,
                              text=True, check=False)
        return (done.stdout + done.stderr) if done.returncode else None

    def failing(self, mutation) -> list[str]:
        """The tests of its row that are red, up to the first."""
        chosen = ["-k", mutation["test"]] if "test" in mutation else []
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", "-p", "rows", "--rows", mutation["row"],
             *chosen, "tests/contract", "tests/system"],
            cwd=self.tree, capture_output=True, text=True, check=False,
            env={**os.environ, "CCS_PROGRAMS": str(self.out), "PYTHONPATH": str(self.tree / "tests/contract")})
        failed = _FAILED.findall(done.stdout)
        if done.returncode and not failed:
            raise RuntimeError(done.stdout[-3000:] + done.stderr[-1000:])
        return [name for name in failed if mutation["row"] in name.split("_")]

    def try_out(self, mutation) -> str:
        """Which test noticed, or what went wrong, in capitals."""
        path = self.tree / mutation["file"]
        sound = path.read_text()
        path.write_text(mutated(mutation, sound))
        try:
            if self.build():
                return "DOES NOT BUILD"
            failed = self.failing(mutation)
            return failed[0] if failed else "NOBODY NOTICED"
        except RuntimeError as error:
            print(error)
            return "THE TESTS DID NOT RUN"
        finally:
            path.write_text(sound)


def main(wanted):
    chosen = [one for one in mutations() if not wanted or one["row"] in wanted]
    caught = 0
    with Copy() as copy:
        said = copy.build()
        if said:
            sys.exit(said)
        for one in chosen:
            started = time.monotonic()
            result = copy.try_out(one)
            caught += result.startswith("test_")
            print(f"{one['row']:<4} {one['breaks']:<56} {result:<64.64} {time.monotonic() - started:4.0f} s",
                  flush=True)
    print(f"{caught} caught, {len(chosen) - caught} not")
    return caught != len(chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
