"""ccs's connections to PostgreSQL (sql/db.c, which waits, and sql/stream.c), scenario by scenario: see db_probe.c."""
import os
import subprocess

import pytest

from pg_cluster import PROGRAMS, ROOT

PROBE = PROGRAMS / "tests/system/db_probe"


def scenarios():
    """As the program names them in its table."""
    source = (ROOT / "tests/system/db_probe.c").read_text()
    table = source[source.index("} scenarios[] = {"):source.index("int main(")]
    return [part.split('"')[1] for part in table.split("{")[2:] if '"' in part]


@pytest.fixture(scope="module")
def environment(server):
    """Two clients with a batch and a share of a server each."""
    db = server.database()
    clients = [db.add_client(f"PROBE{i}") for i in (1, 2)]
    server_id = db.add_server("probe")
    with db.committing() as cursor:
        for client_id in clients:
            cursor.execute("insert into queue_master (client_id, batch_id, content,"
                           " inserted_count) values (%s, 1, '', 0)", [client_id])
            cursor.execute("insert into allocation values (%s, %s, 1, 1)",
                           [client_id, server_id])
    return {**os.environ, "OWNER_DSN": db.dsn("ccs_owner"), "API_DSN": db.dsn("ccs_api"),
            "ENEMY_DSN": db.dsn("postgres"), "CLIENT": str(clients[0]),
            "OTHER": str(clients[1]), "SERVER": str(server_id)}


def test_every_scenario_is_run(environment):
    said = subprocess.check_output([PROBE], text=True, env=environment)
    assert said.split() == scenarios() and len(scenarios()) > 10


@pytest.mark.parametrize("name", scenarios())
def test_scenario(environment, name):
    done = subprocess.run([PROBE, name], env=environment, timeout=60, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
