"""The whole of ccs on one machine: PostgreSQL, nginx, ccs, and Asterisk servers with a far end,
real ones or a farm of simulated ones.

    stack = Stack.up(folder, Plan(programs="build/release"), Teller(sys.stderr))
    stack.api.insert(1, ["9000050001"]); stack.api.dispatch()
    stack.down()            # or, in another process: Stack.load(folder).down()

Everything is in one folder, on loopback, on ports of its own. Parts are "postgres", "nginx", "api",
"dispatcher", "relay", "courier", "ast1".., "farend" or "farm"; each can be started and killed by itself, in any order.
"""
import contextlib
import dataclasses
import json
import os
import re
import secrets
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

from . import asterisk, certs, farm, nginx, numbers, postgres
from .api import Api
from .ccs import Ccs
from .proc import StackError, last_lines, wait_until

ACCOUNT = "DEMO"
DID = "911140000001"
TIMEZONE = "Asia/Kolkata"
_API_REQUESTS_PER_MINUTE = 100_000  # so many that no example runs into it
_WALL = dict.fromkeys(("reads_per_second", "inserts_per_second", "logins_per_second",
                       "handshakes_per_second", "key_requests_per_second"), 100_000)
_WALL.update(connections_per_address=8192, large_bodies=64)  # everybody comes from 127.0.0.1
_NUMBERS_SHOWN = 50
_TELLING_LOGS = ("postgres.log", "error.log", "ccs-api.log", "ccs-dispatcher.log",
                 "ccs-relay.log", "ccs-courier.log")


@dataclass
class Plan:
    """What to build."""

    programs: str  # the folder with ccs-api, ccs-dispatcher, ccs-relay, ccs-courier and ccsctl
    servers: int = 1
    channels: int = 100
    rate_limit: int = 36_000
    port: int | None = None  # of nginx; None: any free one
    profile: str = "pjsip"
    suite: str | None = None  # Debian's, from which Asterisk comes; None: the first that works
    tls: bool = False  # AMI over TLS
    farm: dict | None = None  # options of farm.start: simulated servers; None: real ones
    ring_seconds: int = 8
    settings: dict = field(default_factory=dict)  # section -> option -> value, over our own


class Stack:
    """One folder's worth of servers."""

    def __init__(self, folder, plan, node, tenant=None):
        self.folder = Path(folder)
        self.plan = plan
        self.node = node
        self.tenant = tenant or {}  # what add_client returns
        self.log_dir = self.folder / "log"
        self.ccs = Ccs(self.folder, plan.programs, node)
        self.postgres = postgres.Cluster(self.folder / "postgres", log=self.log_dir / "postgres.log")
        self.nginx = nginx.Nginx(self.folder, self.ccs, plan.port)

    # Life: up, load, down

    @classmethod
    def up(cls, folder, plan, tell):
        """All servers running and one client ready to call; or StackError and nothing running."""
        stack = cls(_empty_folder(folder), plan, f"demo-{secrets.token_hex(4)}")
        try:
            stack._save()
            stack._build(tell)
            stack._save()
        except BaseException:
            stack.down(unfinished=True)
            raise
        return stack

    @classmethod
    def load(cls, folder):
        """A stack that another process has started in this folder."""
        folder = Path(folder).resolve()
        try:
            stored = json.loads((folder / "stack.json").read_text())
        except (OSError, ValueError) as error:
            raise StackError(f"{folder} holds no demo: {error}") from None
        return cls(folder, Plan(**stored["plan"]), stored["node"], stored["tenant"])

    def down(self, *, unfinished=False):
        """Ends what runs of it and takes everything away but the logs."""
        held = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        try:
            self._down(unfinished)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)  # a second Ctrl-C arrives now

    def _down(self, unfinished):
        for stop in (self.nginx.down, self.ccs.relay.stop, self.ccs.courier.stop, self.ccs.dispatcher.stop, self.ccs.api.stop,
                     lambda: self._servers.stop(self._servers_dir), self.postgres.stop):
            stop()
        if unfinished:
            _end_strays(self.folder)
        self.ccs.remove_shared_memory()
        _keep_only_logs(self.folder)

    def _save(self):
        """stack.json holds an API key, hence its mode."""
        path = self.folder / "stack.json"
        path.touch(0o600)
        path.write_text(json.dumps({"plan": dataclasses.asdict(self.plan), "node": self.node,
                                    "tenant": self.tenant}, indent=1) + "\n")

    # Building, step by step

    def _build(self, tell):
        with tell.step("PostgreSQL, roles and schema"):
            self.postgres.create()
            self.postgres.start()
            self._configure()
            self.postgres.psql(self.ccs.ctl("db", "roles"), database="postgres")
            self.postgres.psql("create database ccs owner ccs_owner", database="postgres")
            self.ccs.ctl("db", "migrate")
        with tell.step("certificates"):
            made = certs.make(self.folder / "tls")
        if self.plan.farm is None:
            self._start_asterisk(tell, made)
        else:
            self._start_farm(tell)
        with tell.step("ccs-api, ccs-dispatcher, ccs-relay, ccs-courier and nginx"):
            self.ccs.start_api()
            self.ccs.wait_api()
            self.nginx.configure(made)
            self.nginx.start()
            self.plan.port = self.nginx.port
            self.ccs.start_dispatcher()
            self.ccs.start_relay()
            self.ccs.start_courier()
            self.ccs.wait_relay()
        with tell.step("a client, its servers and their channels"):
            self.tenant = self.add_client(ACCOUNT)
            self._add_servers()
            self.allocate(ACCOUNT)
            self.wait_ready()

    def _start_asterisk(self, tell, made):
        with tell.step(f"Asterisk: {self.plan.servers} server(s) and a far end"):
            tree = asterisk.provision(suite=self.plan.suite,
                                      progress=lambda line: tell.passing(f"  Asterisk: {line}"))
            asterisk.start(tree, self._servers_dir, self.plan.servers, profile=self.plan.profile,
                           calls=self.plan.channels + 20, tls=made if self.plan.tls else None)

    def _start_farm(self, tell):
        with tell.step(f"a farm of {self.plan.servers} simulated Asterisk server(s)"):
            farm.start(self.plan.programs, self._servers_dir, self.plan.servers,
                       log=self.log_dir / "farm-book", **self.plan.farm)

    def _configure(self):
        settings = {
            "common": {"environment": "demo", "default_region": numbers.REGION,
                       "default_timezone": TIMEZONE},
            "database": {f"{role}_dsn": self.postgres.dsn("ccs", f"ccs_{role}")
                         for role in ("owner", "api", "login", "admin", "dispatcher", "courier")},
            "dispatcher": {"ring_seconds": self.plan.ring_seconds},
            "segment": self._room(),
            "courier": {"private_networks": "127.0.0.0/8", "ca_file": self.folder / "tls/ca.pem"},
            "nginx": _WALL,
        }
        for section, options in self.plan.settings.items():
            settings[section] = {**settings.get(section, {}), **options}
        self.ccs.configure(settings)

    def _room(self) -> dict:
        """A segment for as many servers and calls as planned, where that is more than usual. Beside
        real Asterisks few events are enough: a container's 64 MB of /dev/shm hold three stacks."""
        room = {"servers": max(256, self.plan.servers), "live_calls": max(4096, self.plan.channels),
                "window_entries": max(32768, 4 * self.plan.channels)}
        return room if self.plan.farm is not None else {**room, "event_bytes": 4 << 20}

    def add_client(self, accountcode, *, channels=None, rate_limit=None, **fields) -> dict:
        """Registers a client that may call at any time; its name, accountcode, client_id, api_key,
        and the username and password of its user.

        fields are further fields of a registration, or others than ours.
        """
        registration = {
            "name": f"{accountcode.title()} Telemarketing", "accountcode": accountcode,
            "username": accountcode.lower(), "did": DID, "phone_number": DID, "callbackurl": "",
            "allocated_channels": self.plan.channels if channels is None else channels,
            "rate_limit": self.plan.rate_limit if rate_limit is None else rate_limit,
            "active_time_start": "00:00", "active_time_end": "00:00",
            "region": numbers.REGION, "timezone": TIMEZONE,
            "requests_per_minute": _API_REQUESTS_PER_MINUTE, **fields,
        }
        password = secrets.token_urlsafe(12)
        added = json.loads(self.ccs.ctl("client", "add", "--json", *_options(registration),
                                        "--password-stdin", text=password))
        return {"name": registration["name"], "accountcode": accountcode,
                "client_id": added["id"], "api_key": added["api_key"],
                "username": registration["username"], "password": password}

    def _add_servers(self):
        for server in self.rig().servers:
            self.ccs.ctl("server", "add", *_options({
                "server_code": server.name, "host": server.host, **self._way_to(server),
                "ami_user": server.ami_user, "context": server.context, "extension": server.exten,
                "channel_template": f"{server.technology}/{{national}}@{server.endpoint}",
                "allowed_active_calls": self.plan.channels, "rate_limit": self.plan.rate_limit,
                "did": DID, "recording_directory": server.recording_dir,
            }), "--ami-secret-stdin", text=server.ami_secret)

    def _way_to(self, server) -> dict:
        """The port of its manager interface, and what ccs has to know when it speaks TLS."""
        if not self.plan.tls:
            return {"port": server.ami_port}
        return {"port": server.ami_tls_port, "tls": "yes", "tls_ca": self.folder / "tls/ca.pem"}

    def allocate(self, accountcode, *, channels=None, rate_limit=None):
        """Gives a client equal shares of all servers; the sums are the client's own limits."""
        count = self.plan.servers
        channels = self.plan.channels if channels is None else channels
        rate_limit = self.plan.rate_limit if rate_limit is None else rate_limit
        for index, server in enumerate(self.rig().servers):
            self.ccs.ctl("alloc", "set", accountcode, server.name, *_options({
                "channels": channels // count + (index < channels % count),
                "rate_limit": rate_limit // count + (index < rate_limit % count)}))

    # Using it

    @property
    def api(self) -> Api:
        """The way in for the client that up() has made."""
        return Api(self.base_url, self.tenant.get("api_key"), ca_file=self.folder / "tls/ca.pem")

    @property
    def base_url(self):
        return f"https://{nginx.HOST}:{self.plan.port}"

    def rig(self) -> asterisk.Rig | farm.Farm:
        """The servers that are called, and what they know of it."""
        return self._servers.load(self._servers_dir)

    @property
    def _servers(self):
        """The module that plays them."""
        return asterisk if self.plan.farm is None else farm

    @property
    def _servers_dir(self) -> Path:
        return self.folder / ("asterisk" if self.plan.farm is None else "farm")

    def is_ready(self) -> bool:
        """Does the API say that it can take calls, on every server?"""
        try:
            if self.api.get("/monitoring/health").status != 200:
                return False
            answer = self.api.get("/monitoring/serverstatus")
        except OSError:
            return False
        return answer.status == 200 and all(
            server["ami"] and server["ami"]["connected"] for server in answer.json["servers"])

    def _is_alive(self):
        for process in (self.ccs.api, self.ccs.dispatcher):
            if not process.pid():
                raise StackError(f"{process.name} has ended")

    def wait_ready(self, *, seconds=30):
        try:
            wait_until(self.is_ready, seconds=seconds, what="ccs is healthy on every server",
                       check=self._is_alive)
        except StackError as error:
            raise StackError(f"{error}\n{self.last_log_lines()}") from None

    def last_log_lines(self) -> str:
        """The end of the logs that say why something went wrong, for an error to show."""
        logs = [self.log_dir / name for name in _TELLING_LOGS]
        return "\n".join(f"  {log}:\n{last_lines(log)}" for log in logs
                         if log.exists() and log.stat().st_size)

    def superuser_dsn(self) -> str:
        """For a look into the database, past every wall."""
        return self.postgres.dsn("ccs", self.postgres.superuser)

    def processes(self) -> dict:
        """Every server by the name of its part."""
        return {"postgres": self.postgres.process, "nginx": self.nginx.process,
                "api": self.ccs.api, "dispatcher": self.ccs.dispatcher,
                "relay": self.ccs.relay, "courier": self.ccs.courier,
                **self.rig().processes()}

    def start(self, part):
        """Starts one part again, without waiting for the others it may need."""
        starters = {"postgres": self.postgres.start, "nginx": self.nginx.start,
                    "api": self.ccs.start_api, "dispatcher": self.ccs.start_dispatcher,
                    "relay": self.ccs.start_relay, "courier": self.ccs.start_courier}
        if part in starters:
            starters[part]()
        else:
            self._servers.restart(self.rig(), part)

    def stop(self, part) -> bool:
        """Ends one part in good order; False when it does not run."""
        return {"postgres": self.postgres, "nginx": self.nginx}.get(
            part, self.processes()[part]).stop()

    def kill(self, part) -> bool:
        """kill -9 of one part; False when it does not run."""
        return {"postgres": self.postgres, "nginx": self.nginx}.get(
            part, self.processes()[part]).kill()

    def description(self) -> dict:
        """What a program needs to use this stack."""
        host = self.base_url.removeprefix("https://")
        return {
            "base_url": self.base_url, "ws_url": f"wss://{host}/api/ws/v1/monitoring/ws",
            "ca_file": str(self.folder / "tls/ca.pem"), **self.tenant,
            "dir": str(self.folder), "log_dir": str(self.log_dir),
            "pg_dsn": self.superuser_dsn(),
            "pids": {name: process.pid() for name, process in self.processes().items()},
            "numbers": {name: list(numbers.numbers(name, _NUMBERS_SHOWN, talk=3))
                        for name in numbers.OUTCOMES},
        }


def _options(words):
    return [f"--{name.replace('_', '-')}={value}" for name, value in words.items()]


def _end_strays(folder):
    """Kills what an interrupted up() has lost sight of: a helper such as ccsctl, or a server that had
    not written its pid file, both our children; and what initdb started, which works in its folder."""
    for path in Path("/proc").glob("[0-9]*"):
        pid = int(path.name)
        try:
            parent, group = map(int, (path / "stat").read_text().rpartition(")")[2].split()[1:3])
            is_ours = parent == os.getpid() and f"{folder}/".encode() in _command(pid)
            if not is_ours and not os.readlink(path / "cwd").startswith(f"{folder}/postgres/"):
                continue
            (os.killpg if group == pid else os.kill)(pid, signal.SIGKILL)
        except OSError:
            continue  # it has ended, or is not ours to look at
        wait_until(lambda pid=pid: not _command(pid), seconds=10, what=f"process {pid} is dead")


def _command(pid) -> bytes:
    """The command line of a process; nothing when it is gone or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _keep_only_logs(folder):
    """Secrets, sockets and data go; logs and Asterisk's call records stay."""
    kept = {folder / "log", *folder.glob("asterisk/*/log")}
    kept |= {parent for path in kept for parent in path.parents}
    for path in (*folder.glob("*"), *folder.glob("asterisk/*"), *folder.glob("asterisk/*/*")):
        if path in kept or not path.exists():
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _empty_folder(folder) -> Path:
    """Makes the folder, or takes one in which nothing runs and that only an earlier demo used."""
    folder = Path(folder).resolve()
    if not re.fullmatch(r"[A-Za-z0-9_./-]+", str(folder)):
        raise StackError(f"{folder}: use a folder with only letters, digits and ./_- in its path")
    if (folder / "stack.json").exists():
        raise StackError(f"{folder} holds a demo already: deploy/demo down --dir {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    if not set(os.listdir(folder)) <= {"log", "asterisk"}:
        raise StackError(f"{folder} is not empty and was not made by this program")
    os.chmod(folder, 0o755)  # PostgreSQL runs as another user when we are root
    with contextlib.suppress(FileExistsError):
        (folder / "log").mkdir()
    return folder
