"""A private PostgreSQL: one folder, one Unix socket, no port, nobody else can connect.

    cluster = Cluster(folder)
    cluster.create(); cluster.start()
    cluster.psql("create database ccs owner ccs_owner")
    cluster.dsn("ccs", "ccs_api")
    cluster.stop()          # or kill(), for tests of what happens then

initdb refuses root, so root runs the cluster as the account that Debian's package has made. No
password guards it: its socket lies in a folder that only its own account (and root) may enter.
"""
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from .proc import Process, StackError, wait_until

_ACCOUNT = "postgres"  # of Debian's package
_PORT = 5432  # only a part of the socket's name

# A Unix socket address has room for 108 bytes, the last one a NUL.
_SOCKET_PATH_MAX = 107

# Enough for a stack on a laptop and no more. Durability stays as PostgreSQL ships it: ccs promises
# that what it has confirmed is kept, and its speed is measured with that.
_SETTINGS = {
    "listen_addresses": "",
    "port": _PORT,
    "unix_socket_permissions": "0700",
    "max_connections": 100,
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "log_line_prefix": "%m [%p] %q%u@%a ",
}


class Cluster:
    """A PostgreSQL server in a folder of its own. settings go into postgresql.conf over ours."""

    superuser = "postgres"

    def __init__(self, folder, *, log=None, settings=None):
        self.folder = Path(folder).absolute()
        self.data = self.folder / "data"
        self.socket_dir = self.folder / "socket"
        self.log = Path(log) if log else self.folder / "postgres.log"
        self.settings = {**_SETTINGS, "unix_socket_directories": self.socket_dir,
                         **(settings or {})}
        self.process = Process("PostgreSQL", marker=str(self.data),
                               pid_file=self.folder / "pid", log=self.log)
        self._account = _ACCOUNT if os.geteuid() == 0 else None

    def create(self):
        """Makes the cluster; start() runs it."""
        socket = f"{self.socket_dir}/.s.PGSQL.{_PORT}"
        if len(socket) > _SOCKET_PATH_MAX:
            raise StackError(f"{socket} is longer than {_SOCKET_PATH_MAX} bytes: use a folder with "
                             "a shorter path")
        if re.search(r"[\s'\\,]", str(self.folder)):
            raise StackError(f"{self.folder}: use a folder without blanks, quotes and commas")
        for path in (self.folder, self.socket_dir):
            path.mkdir(mode=0o700)
            if self._account:
                shutil.chown(path, self._account, self._account)
        done = subprocess.run(
            [_program("initdb"), "--pgdata", self.data, "--username", self.superuser,
             "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, cwd="/", env=_environment(), user=self._account, group=self._account,
            extra_groups=[] if self._account else None)
        if done.returncode:
            raise StackError(f"initdb failed in {self.folder}:\n{done.stdout.strip()}")
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in self.settings.items())

    def start(self, *, seconds=30):
        """Starts it and waits until it takes connections, recovery included."""
        # After kill -9 its children live on for a moment and keep the shared memory.
        wait_until(lambda: not self._processes(), seconds=seconds,
                   what=f"an earlier PostgreSQL in {self.folder} is gone")
        self.process.start([_program("postgres"), "-D", self.data], cwd="/", user=self._account,
                           env=_environment())
        self.process.wait_ready(self._accepts, seconds=seconds)

    def stop(self) -> bool:
        """Ends it in good order, clients or not."""
        return self.process.stop(how=signal.SIGINT, seconds=30)

    def kill(self) -> bool:
        """kill -9 of the server's first process: every session ends."""
        return self.process.kill()

    def dsn(self, database, user=superuser) -> str:
        """The connection string, as libpq takes it."""
        return f"host={self.socket_dir} port={_PORT} dbname={database} user={user}"

    def psql(self, text, *, database="postgres", user=superuser) -> str:
        """Runs SQL and returns what it printed, without headings; StackError when it failed."""
        done = subprocess.run(
            [_program("psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
             "--set", "ON_ERROR_STOP=1", self.dsn(database, user)],
            input=text, capture_output=True, text=True, check=False, env=_environment())
        if done.returncode:
            raise StackError(f"psql failed: {done.stderr.strip()}")
        return done.stdout.rstrip("\n")

    def _accepts(self) -> bool:
        return subprocess.run(
            [_program("pg_isready"), "--quiet", "--dbname", self.dsn("postgres")],
            env=_environment(), check=False).returncode == 0

    def _processes(self) -> list[int]:
        """Every process of the server: they all work in the data folder."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cwd"):
            try:
                if os.readlink(path) == str(self.data.resolve()):
                    found.append(int(path.parent.name))
            except OSError:
                continue  # it has ended, or is not ours
        return found


def _program(name) -> str:
    """A program of the newest PostgreSQL installed."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"),
                    key=lambda path: int(path.parent.parent.name))
    found = str(places[-1]) if places else shutil.which(name)
    if not found:
        raise StackError(f"there is no {name}: install Debian's package postgresql")
    return found


def _environment() -> dict:
    """Ours without what would lead libpq elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C.UTF-8"}
