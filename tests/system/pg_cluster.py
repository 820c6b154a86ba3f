"""A migrated database in a PostgreSQL of its own, for tests that need nothing else of ccs."""
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg2
from places import PROGRAMS, ROOT
from stack.postgres import Cluster

ROLES = ("ccs_owner", "ccs_api", "ccs_login", "ccs_admin", "ccs_dispatcher", "ccs_courier")


class Server:
    """The cluster, with ccsctl configured for databases in it."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ccs-sql-"))
        self.folder.chmod(0o755)  # PostgreSQL runs as another user when we are root
        # It lives for minutes: nothing in it has to survive a power cut.
        self.cluster = Cluster(self.folder / "pg", settings={"fsync": "off"})
        self.cluster.create()
        self.cluster.start()
        self.cluster.psql(subprocess.check_output([PROGRAMS / "ccsctl", "db", "roles"], text=True))
        self._count = 0

    def close(self):
        self.cluster.stop()
        shutil.rmtree(self.folder)

    def database(self, *, migrated=True) -> "Database":
        """A fresh one."""
        self._count += 1
        name = f"ccs{self._count}"
        self.cluster.psql(f"create database {name} owner ccs_owner")
        database = Database(self, name)
        if migrated:
            database.ctl("db", "migrate")
        return database


class Database:
    """One database: ccsctl on it, and connections as any role."""

    def __init__(self, server, name):
        self.name = name
        self.server = server
        folder = server.folder / name
        folder.mkdir()
        self.conf = folder / "ccs.conf"
        dsns = "".join(f"{role.removeprefix('ccs_')}_dsn = {self.dsn(role)}\n" for role in ROLES)
        self.conf.write_text(f"[common]\nnode = {name}-{os.getpid()}\nrun_dir = {folder}\n"
                             f"secret_key_file = {folder}/secret.key\n"
                             f"jwt_key_file = {folder}/jwt.keys\n[database]\n{dsns}")

    def dsn(self, role) -> str:
        return self.server.cluster.dsn(self.name, role)

    def ctl(self, *words, text=None, status=0) -> str:
        """What ccsctl printed; the test fails when its exit status is another."""
        done = subprocess.run([PROGRAMS / "ccsctl", "-c", self.conf, *map(str, words)], input=text,
                              stdin=None if text is not None else subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        assert done.returncode == status, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr

    @contextlib.contextmanager
    def as_role(self, role, client_id=None):
        """A cursor in a transaction that is rolled back; client_id: for row-level security."""
        connection = psycopg2.connect(self.dsn(role))
        try:
            with connection.cursor() as cursor:
                if client_id is not None:
                    cursor.execute("select set_config('ccs.client_id', %s, true)", [str(client_id)])
                yield cursor
        finally:
            connection.close()

    @contextlib.contextmanager
    def committing(self, role="ccs_owner"):
        """A cursor whose work is kept, unless the block fails."""
        connection = psycopg2.connect(self.dsn(role))
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def value(self, text, *parameters, role="ccs_owner"):
        """The first column of the first row."""
        with self.as_role(role) as cursor:
            cursor.execute(text, parameters)
            return cursor.fetchone()[0]

    def add_client(self, accountcode, *, channels=100, rate_limit=1000, timezone="Asia/Kolkata",
                   opens="00:00", closes="00:00") -> int:
        """The new client's id."""
        with self.committing() as cursor:
            cursor.execute(
                "insert into client (name, accountcode, did, phone_number, allocated_channels,"
                " rate_limit, timezone, region, active_time_start, active_time_end)"
                " values (%s, %s, '1', '1', %s, %s, %s, 'IN', %s, %s) returning id",
                [accountcode, accountcode, channels, rate_limit, timezone, opens, closes])
            return cursor.fetchone()[0]

    def add_server(self, code) -> int:
        with self.committing() as cursor:
            cursor.execute(
                "insert into server (server_code, host, port, ami_user, ami_secret,"
                " channel_template, allowed_active_calls, rate_limit)"
                " values (%s, '127.0.0.1', 5038, 'ccs', 'sealed', 'PJSIP/{number}@x', 100, 1000)"
                " returning id", [code])
            return cursor.fetchone()[0]


class Statement:
    """One block of sql/queries, as sql/embed.awk reads it."""

    def __init__(self, file, name, roles, text):
        self.file, self.name, self.roles, self.text = file, name, roles, text

    @property
    def parameters(self) -> int:
        return max(map(int, re.findall(r"\$(\d+)", self.text)), default=0)

    def __repr__(self):
        return self.name


def statements() -> list[Statement]:
    """Every statement of ccs."""
    found = []
    for path in sorted((ROOT / "sql/queries").glob("*.sql")):
        default = None
        for line in path.read_text().splitlines():
            if line.startswith("-- name: "):
                found.append(Statement(path.name, line.split()[2], default, ""))
            elif line.startswith("-- role: "):
                roles = line.removeprefix("-- role: ").split()
                if found and found[-1].file == path.name:
                    found[-1].roles = roles
                else:
                    default = roles
            elif line.strip() and not line.lstrip().startswith("--"):
                found[-1].text += line + "\n"
    for statement in found:
        statement.text = statement.text.strip().removesuffix(";")
    return found


def statement(name) -> Statement:
    return next(found for found in statements() if found.name == name)
