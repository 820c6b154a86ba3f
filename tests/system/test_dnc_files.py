"""Files of numbers for do-not-call lists, and those of other dialers, through ccsctl on a database alone."""
import itertools
import json

import pytest

from pg_cluster import Server

NAMES = itertools.count(1)


@pytest.fixture(scope="module")
def db():
    server = Server()
    try:
        database = server.database()
        database.ctl("secret", "init")
        yield database
    finally:
        server.close()


@pytest.fixture
def client(db):
    name = f"CLIENT-{next(NAMES)}"
    db.add_client(name)
    return name


@pytest.fixture
def written(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path
    return write


def listed(db, *whose):
    """Numbers and sources, as they are exported."""
    lines = db.ctl("dnc", "export", *whose).splitlines()
    assert lines[0] == "phone_number,source,added_by,added_at"
    return [tuple(line.split(",")[:2]) for line in lines[1:]]


def test_U16_one_number_is_added_checked_and_removed(db, client):
    assert "not on the list" in db.ctl("dnc", "check", "+919876543210", client)
    assert json.loads(db.ctl("dnc", "add", "98765 43210", client, "--json")) == {
        "number": "919876543210", "changed": True, "total": 1, "version": 1}
    assert "changes nothing" in db.ctl("dnc", "add", "+919876543210", client)
    assert "by ccsctl:" in db.ctl("dnc", "check", "9876543210", client)
    assert json.loads(db.ctl("dnc", "list", client, "--json")) == {"total": 1, "version": 1}
    assert listed(db, client) == [("919876543210", "operator")]
    assert "off the list" in db.ctl("dnc", "remove", "9876543210", client)
    assert listed(db, client) == []
    acts = db.ctl("audit", "list", f"--subject={client}", "--action=dnc", "--json")
    assert acts.count('"dnc.add"') == acts.count('"dnc.remove"') == 1 and "9876543210" not in acts


def test_U16_everybodys_list_wants_the_country(db):
    assert "country" in db.ctl("dnc", "add", "9876543210", "--all", status=1)
    db.ctl("dnc", "add", "+919876543210", "--all")
    assert listed(db, "--all") == [("919876543210", "operator")]
    db.ctl("dnc", "remove", "+919876543210", "--all")
    for wrong in ([], ["X", "--all"], ["--all", "--batch-id=1"]):
        assert "whose list" in db.ctl("dnc", "list", *wrong, status=1)


@pytest.mark.parametrize("name, text", [
    ("list.csv", "name,phone_number\r\nA,9876543210\r\nB,+44 20 7946 0000\r\nC,12\r\nA,09876543210\r\n"),
    ("marked.csv", b"\xef\xbb\xbfphone_number;note\n9876543210;a\n+442079460000;b\n12;c\n9876543210;d"),
    ("list.ndjson", '{"phone_number": "9876543210"}\n\n{"phone_number": "+442079460000"}\n{"phone_number": "12"}\n{"phone_number": "9876543210"}'),
    ("list.txt", "9876543210\n+442079460000\n12\n9876543210\n"),
], ids=["csv", "csv-with-mark", "ndjson", "lines"])
def test_U16_a_file_is_loaded_and_its_bad_lines_are_named(db, written, name, text, request):
    client = f"FILE-{request.node.callspec.id.upper()}"
    db.add_client(client)
    path = written(name, text)
    line = {"list.csv": 4, "marked.csv": 4, "list.ndjson": 4, "list.txt": 3}[name]
    tried = json.loads(db.ctl("dnc", "load", path, client, "--dry-run", "--json"))
    assert (tried["read"], tried["added_count"], tried["rejected_count"]) == (4, 0, 1) and listed(db, client) == []
    said = json.loads(db.ctl("dnc", "load", path, client, "--json"))
    assert (said["read"], said["added_count"], said["rejected_count"]) == (4, 2, 1)
    assert said["rejected"] == [{"line": line, "phone_number": "12", "detail": f"line {line} has fewer than 3 digits; send 3 to 15"}]
    assert listed(db, client) == [("442079460000", "file"), ("919876543210", "file")]
    assert json.loads(db.ctl("dnc", "load", path, client, "--json"))["added_count"] == 0


@pytest.mark.parametrize("name, text, why", [
    ("a.csv", "number\n9876543210\n", "the first line names no column phone_number"),
    ("b.csv", 'phone_number\n"9876543210\n', "line 2"),
    ("c.csv", "phone_number\n9876543210,x\n", "line 2 has 2 fields"),
    ("d.ndjson", '{"phone_number": 9876543210}\n', "line 1 is no JSON object"),
], ids=["no-column", "quote", "fields", "type"])
def test_U16_a_file_of_another_form_is_refused_with_its_line(db, client, written, name, text, why):
    assert why in db.ctl("dnc", "load", written(name, text), client, status=1)


def test_U16_vicidials_list_and_newfies_list_are_imported(db, client, written):
    db.ctl("import", "vicidial-dnc", written("dnc.txt", "9876543210\n9876543211\n"), client)
    said = db.ctl("import", "newfies-dnc", written("dnc.csv", "phone_number\r\n9876543211\r\n9876543212\r\n"), client, "--json")
    assert json.loads(said)["added_count"] == 1
    assert [number for number, _ in listed(db, client)] == ["919876543210", "919876543211", "919876543212"]


def entries(db, client, batch_id):
    with db.committing() as cursor:
        cursor.execute("""select e.phone_number, e.custom_data, coalesce(d.disposition::text, 'waits')
                            from entry e join queue_master m on m.id = e.queue_master_id join client c on c.id = m.client_id
                            left join call_detail d on d.entry_id = e.entry_id and d.is_final
                           where c.accountcode = %s and m.batch_id = %s order by e.entry_id""", (client, batch_id))
        return [(number, json.loads(custom) if custom else None, state) for number, custom, state in cursor.fetchall()]


VICIDIAL = ("V1\tS\t101\t91\t9876543210\tMr\tAsha\t\tRao\t1 High St\t\t\tPune\t\t\t411001\tIND\tF\t\t\ta@example.org\t\tcalls late\t0\t\n"
            "V2\t\t101\t91\t12\t\tBad\t\tNumber\n"
            "V3\t\t101\t91\t9876543211\t\tJo\t\tDas\n")


@pytest.mark.parametrize("separator", ["\t", "|"], ids=["tab", "pipe"])
def test_U16_vicidials_leads_become_a_batch(db, written, separator):
    client = f"LEADS-{'TAB' if separator == chr(9) else 'PIPE'}"
    db.add_client(client)
    db.ctl("dnc", "add", "9876543211", client)
    path = written("leads.txt", VICIDIAL.replace("\t", separator))
    tried = json.loads(db.ctl("import", "vicidial-leads", path, client, "--batch-id=1", "--dry-run", "--json"))
    assert (tried["read"], tried["inserted_count"], tried["rejected_count"]) == (3, 2, 1) and entries(db, client, 1) == []
    said = db.ctl("import", "vicidial-leads", path, client, "--batch-id=1")
    assert "3 leads read, 2 in batch 1, 1 rejected" in said and "line 2" in said
    assert entries(db, client, 1) == [
        ("+919876543210", {"vendor_lead_code": "V1", "source_id": "S", "list_id": "101", "title": "Mr", "first_name": "Asha",
                           "last_name": "Rao", "address1": "1 High St", "city": "Pune", "postal_code": "411001",
                           "country_code": "IND", "gender": "F", "email": "a@example.org", "comments": "calls late", "rank": "0"}, "waits"),
        ("+919876543211", {"vendor_lead_code": "V3", "list_id": "101", "first_name": "Jo", "last_name": "Das"}, "suppressed")]


def test_U16_an_export_of_vicidial_names_its_columns(db, client, written):
    path = written("export.txt", "lead_id\tstatus\tphone_code\tphone_number\tfirst_name\n7\tNEW\t91\t9876543210\tAsha\n")
    db.ctl("import", "vicidial-leads", path, client, "--batch-id=2")
    assert db.value("select settings from queue_master order by id desc limit 1") is None
    assert entries(db, client, 2) == [("+919876543210", {"lead_id": "7", "status": "NEW", "first_name": "Asha"}, "waits")]


def test_U16_newfies_contacts_become_a_batch(db, client, written):
    path = written("contacts.csv", '9876543210|Rao|Asha|a@example.org||1||Pune||IN||"{""plan"": ""gold"", ""due"": 12}"\n'
                                   "9876543211|Das|Jo||||||||\n")
    db.ctl("import", "newfies-contacts", path, client, "--batch-id=3")
    assert entries(db, client, 3) == [
        ("9876543210", {"last_name": "Rao", "first_name": "Asha", "email": "a@example.org", "status": "1", "city": "Pune",
                        "country": "IN", "plan": "gold", "due": 12}, "waits"),
        ("9876543211", {"last_name": "Das", "first_name": "Jo"}, "waits")]
    wrong = written("wrong.csv", "9876543210|||||1||||||[1]\n")
    assert "additional_vars of line 1 is no JSON object" in db.ctl("import", "newfies-contacts", wrong, client, "--batch-id=4", status=1)
