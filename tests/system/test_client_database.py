"""asyncdatabaseurl and syncdatabaseurl: finished calls in a client's own PostgreSQL, whatever that does."""
import contextlib
import json
import secrets
import socket
import struct
import threading

import pytest
from stack.proc import StackError


class Door:
    """A TCP port of 127.0.0.1 in front of something; talk(connection) says what."""

    def __init__(self, talk):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._talk = talk
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with connection, contextlib.suppress(OSError):
            self._talk(connection)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def through_to(path):
    """To a Unix socket, both ways."""

    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def talk(connection):
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(str(path))
            back = threading.Thread(target=pump, args=(server, connection), daemon=True)
            back.start()
            pump(connection, server)
            back.join()

    return talk


@pytest.fixture
def database(stack):
    """An empty database of a client, on TCP; its address."""
    name = f"theirs_{secrets.token_hex(4)}"
    postgres = stack.stack.postgres
    postgres.psql(f"create database {name}")
    door = Door(through_to(postgres.socket_dir / ".s.PGSQL.5432"))
    try:
        yield f"postgresql://postgres:secret@127.0.0.1:{door.port}/{name}?sslmode=disable"
    finally:
        door.close()


def stored(stack, url, what="*") -> list:
    name = url.rpartition("/")[2].partition("?")[0]
    out = stack.stack.postgres.psql(f"select {what} from ccs_calls order by seq", database=name)
    return [line.split("|") for line in out.splitlines()]


def set_urls(stack, client, **urls):
    stack.stack.ccs.ctl("client", "set", client.accountcode, "--file=-", text=json.dumps(urls))


def state(stack, client) -> dict:
    return stack.ctl_json("client-db", "show", client.accountcode)


def test_B8_finished_calls_are_copied_once_each_whoever_dies(stack, asterisk, database):
    client = stack.new_client("KEEPER")
    set_urls(stack, client, asyncdatabaseurl=database.replace("postgresql:", "postgresql+asyncpg:"))
    calls = [client.call(number, custom_data={"n": 1}) for number in asterisk.numbers("busy", 2)]
    stack.wait_until(lambda: "ccs_calls" in (state(stack, client)["error"] or ""), "the missing table is told of")
    assert stack.ctl_json("client-db", "check", client.accountcode)["table"] == "ccs_calls"
    [answered] = asterisk.numbers("answered", talk=2)
    calls.append(client.call(answered, custom_data={"n": 1}))
    stack.kill("courier")
    stack.start("courier")
    stack.kill("dispatcher")
    calls += [client.call(number, custom_data={"n": 1}) for number in asterisk.numbers("busy", 3)]
    stack.wait_until(lambda: len(stored(stack, database)) == len(calls), "each call is there", seconds=60)
    rows = stored(stack, database, "call_id, is_final, accountcode, disposition, custom_data ->> 'n', duration > 0, phone_number")
    assert {row[0] for row in rows} == set(calls)
    assert {tuple(row[1:3]) + (row[4],) for row in rows} == {("t", client.accountcode, "1")}
    [mine] = [row for row in rows if row[6] == answered]
    assert mine[3] == "completed" and mine[5] == "t"

    stack.wait_until(lambda: (now := state(stack, client))["copied_to"] == now["last_seq"], "all is told")
    before = state(stack, client)["calls"]
    stack.stack.ccs.ctl("client-db", "replay", client.accountcode, 1)
    stack.wait_until(lambda: state(stack, client)["calls"] >= before + len(calls), "they were copied again")
    assert len(stored(stack, database)) == len(calls)
    set_urls(stack, client, asyncdatabaseurl="")
    with pytest.raises(StackError, match="no database"):
        state(stack, client)


LET_IN = b"R" + struct.pack("!II", 8, 0)


def endless(connection):
    """Lets everybody in, and has notices without end."""
    connection.recv(4096)
    connection.sendall(LET_IN)
    body = b"SNOTICE\0C00000\0M" + b"x" * 60000 + b"\0\0"
    message = b"N" + struct.pack("!I", len(body) + 4) + body
    while True:
        connection.sendall(message)


def huge(connection):
    """One notice that never ends."""
    connection.recv(4096)
    connection.sendall(LET_IN + b"N" + struct.pack("!I", 1 << 30))
    while True:
        connection.sendall(b"x" * 65536)


def silent(connection):
    while connection.recv(4096):
        pass


def greedy(connection):
    """Wants the password in clear, and takes nothing else."""
    connection.recv(4096)
    connection.sendall(b"R" + struct.pack("!II", 8, 3))
    connection.recv(4096)
    body = b"SFATAL\0C28P01\0Mno\0\0"
    connection.sendall(b"E" + struct.pack("!I", len(body) + 4) + body)


def test_Q27_whatever_is_at_the_other_end_costs_only_its_client(stack, asterisk, database):
    good = stack.new_client("WELL", channels=10)
    set_urls(stack, good, syncdatabaseurl=database)
    stack.ctl_json("client-db", "check", good.accountcode)
    talks = (endless, huge, silent, greedy)
    doors = [Door(talk) for talk in talks]
    bad = [stack.new_client("ILL", channels=10) for _ in doors]
    try:
        for client, door in zip(bad, doors):
            set_urls(stack, client, syncdatabaseurl=f"postgresql://u:p@127.0.0.1:{door.port}/db?sslmode=disable")
        theirs = [client.call(asterisk.numbers("busy")[0]) for client in bad]
        for client, call_id in zip(bad, theirs):
            client.outcome(call_id)
        ours = [good.call(number) for number in asterisk.numbers("busy", 3)]
        stack.wait_until(lambda: {row[0] for row in stored(stack, database, "call_id")} == set(ours), "ours are there")
        for client, talk in zip(bad, talks):
            if talk is not silent:  # that takes ten seconds to be sure of
                stack.wait_until(lambda client=client: state(stack, client)["error"], "what is wrong is told", seconds=60)
        assert "more than it was asked for" in state(stack, bad[0])["error"]
    finally:
        for client, door in zip(bad, doors):
            set_urls(stack, client, syncdatabaseurl="")
            door.close()
        set_urls(stack, good, syncdatabaseurl="")


@pytest.mark.parametrize("url, why", [
    ("postgresql://u:p@10.0.0.1/db", "not public"),
    ("postgresql://u:p@2130706433/db?host=/tmp", "one host"),
    ("postgresql://u:p@example.com/db?service=x", "service"),
    ("postgresql://u:p@example.com/db?options=-c", "options"),
    ("postgresql://u:p@example.com/db?passfile=/etc/passwd", "passfile"),
    ("postgresql://u:p@example.com/db?sslkey=/etc/ssl/key", "sslkey"),
    ("postgresql://u:p@example.com/db?hostaddr=127.0.0.1", "hostaddr"),
    ("postgresql://u:p@one.example.com,two.example.com/db", "one host"),
    ("postgresql://u:p@example.com:22/db", "port"),
    ("postgresql://u:p@example.com/db?sslmode=prefer", "sslmode"),
    ("postgresql://u:p@/db", "one host"),
    ("postgresql://example.com/db", "user"),
])
def test_addresses_that_are_refused_when_they_are_stored(stack, url, why):
    with pytest.raises(StackError, match=why) as refused:
        set_urls(stack, stack, asyncdatabaseurl=url)
    assert ":p@" not in str(refused.value)


def test_F2_an_address_as_the_document_prints_it_is_stored_and_what_is_wrong_is_told(stack):
    client = stack.new_client("PRINTED")
    set_urls(stack, client, asyncdatabaseurl="postgresql://user:pass@host:port/db")
    with pytest.raises(StackError, match="its port must be"):
        stack.ctl_json("client-db", "check", client.accountcode)
    stack.wait_until(lambda: "its port must be" in (state(stack, client)["error"] or ""), "the courier tells it, too")
    set_urls(stack, client, asyncdatabaseurl="")


def test_two_addresses_must_name_one_database(stack):
    client = stack.new_client("TWO")
    with pytest.raises(StackError, match="same database"):
        set_urls(stack, client, asyncdatabaseurl="postgresql+asyncpg://u:p@a.example.com/db",
                 syncdatabaseurl="postgresql+psycopg://u:p@b.example.com/db")
