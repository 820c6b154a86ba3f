"""Parts that a test may want a second one of."""
import contextlib
import secrets

import pytest
from stack.proc import Process

from pg_cluster import Server


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL of the module's own, without the rest of a stack."""
    running = Server()
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def relay(stack, tmp_path):
    """Runs another relay with these options beside the stack's, on the same segment: `with relay(connections=1) as
    folder`. Its socket, pid and log are in the folder. The dispatcher does not ring its bell: it looks once a second."""

    @contextlib.contextmanager
    def run(**options):
        folder = tmp_path / secrets.token_hex(4)
        folder.mkdir()
        conf = folder / "ccs.conf"
        conf.write_text(f"[common]\nnode = {stack.stack.node}\nrun_dir = {folder}\n[relay]\n"
                        + "".join(f"{name} = {value}\n" for name, value in options.items()))
        process = Process("ccs-relay", marker=str(conf), pid_file=folder / "pid",
                          log=folder / "log")
        process.start([stack.stack.ccs.programs / "ccs-relay", "-c", conf])
        try:
            process.wait_ready((folder / "relay.sock").exists)
            yield folder
        finally:
            process.stop()

    return run
