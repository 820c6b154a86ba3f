"""The programs of ccs itself: their configuration file, their processes, and ccsctl."""
import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

from .proc import Process, StackError

_NGINX_WORKERS = ("www-data", "nginx", "nobody")  # the first account that exists
_LINES_SHOWN = 20
_POOLS = ("fast", "sql", "call", "login", "admin")
PROGRAMS = ("ccs-api", "ccs-dispatcher", "ccs-relay", "ccs-courier", "ccsctl")
SHM = Path("/dev/shm")


class Ccs:
    """ccs in one folder. programs is where make put them; node names its shared memory."""

    def __init__(self, folder, programs, node):
        self.folder = Path(folder)
        self.programs = Path(programs)
        self.node = node
        self.conf = self.folder / "ccs.conf"
        self.run_dir = self.folder / "run"
        self.log_dir = self.folder / "log"
        self.api = self._process("ccs-api")
        self.dispatcher = self._process("ccs-dispatcher")
        self.relay = self._process("ccs-relay")
        self.courier = self._process("ccs-courier")

    def _process(self, program) -> Process:
        return Process(program, marker=str(self.conf),
                       pid_file=self.run_dir / f"{program}.pid",
                       log=self.log_dir / f"{program}.log")

    def configure(self, sections):
        """Writes the configuration, makes run_dir, the key that encrypts stored secrets, and the one
        that signs tokens."""
        missing = [name for name in PROGRAMS if not os.access(self.programs / name, os.X_OK)]
        if missing:
            raise StackError(f"{self.programs} holds no {' nor '.join(missing)}: run make first")
        self._make_run_dir()
        common = {"node": self.node, "run_dir": self.run_dir,
                  "secret_key_file": self.folder / "secret.key",
                  "jwt_key_file": self.folder / "jwt.keys"}
        api = {"workers_file": self.folder / "workers.conf"}
        sections = {**sections, "common": {**common, **sections.get("common", {})},
                    "api": {**api, **sections.get("api", {})}}
        text = "\n".join(
            f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
            for section, options in sections.items())
        self.conf.write_text(text)
        self.ctl("secret", "init")
        self.ctl("jwt-key", "init")

    def _make_run_dir(self):
        """For sockets and pid files; what is made in it belongs to the group of nginx's workers."""
        self.run_dir.mkdir(mode=0o750)
        account = worker_account()
        if account:
            shutil.chown(self.run_dir, group=pwd.getpwnam(account).pw_gid)
            self.run_dir.chmod(0o2750)

    def print_nginx(self) -> str:
        """nginx's locations for the API's routes."""
        return self._run("ccs-api", "--print-nginx", "-c", self.conf)

    def nginx_values(self) -> str:
        """What nginx/render fills in from our configuration."""
        return self.ctl("conf", "nginx")

    def start_api(self):
        """Starts the workers; wait_api() waits until they take requests."""
        self._start(self.api)

    def wait_api(self, *, seconds=15):
        self.api.wait_ready(
            lambda: all(_accepts(self.run_dir / f"api-{pool}.sock") for pool in _POOLS),
            seconds=seconds)

    def start_dispatcher(self):
        """Starts it; whether it works is for the API's health to say."""
        self._start(self.dispatcher)

    def start_relay(self):
        """Starts it; wait_relay() waits until it takes connections."""
        self._start(self.relay)

    def start_courier(self):
        """Starts it; nobody has to wait for it."""
        self._start(self.courier)

    def wait_relay(self, *, seconds=15):
        self.relay.wait_ready(lambda: _accepts(self.run_dir / "relay.sock"), seconds=seconds)

    def _start(self, process):
        process.start([self.programs / process.name, "-c", self.conf])

    def ctl(self, *words, text=None) -> str:
        """What ccsctl printed; StackError with its own words when it failed. text is its input."""
        return self._run("ccsctl", "-c", self.conf, *words, text=text)

    def _run(self, program, *words, text=None) -> str:
        done = subprocess.run([self.programs / program, *map(str, words)], input=text or "",
                              capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines()[-_LINES_SHOWN:]
            raise StackError("\n".join([f"{program} {' '.join(map(str, words))} failed:", *said]))
        return done.stdout

    def shared_memory(self) -> list[Path]:
        """The objects of the segment that exist now."""
        return sorted(SHM.glob(f"ccs-{self.node}.*"))

    def remove_shared_memory(self):
        for path in self.shared_memory():
            path.unlink(missing_ok=True)


def worker_account():
    """Whom nginx's workers run as when we are root; None when they run as we do."""
    if os.geteuid() != 0:
        return None
    known = {account.pw_name for account in pwd.getpwall()}
    return next(name for name in _NGINX_WORKERS if name in known)


def _accepts(path) -> bool:
    """Does somebody listen on this Unix socket?"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(str(path))
        except OSError:
            return False
    return True
