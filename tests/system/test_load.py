"""Files of entries, CSV and NDJSON: by HTTP and by ccsctl, whole or not at all, and named by line where they are wrong."""
import psycopg2
import pytest
from stack.proc import StackError

NUMBERS = [f"98765{i:05}" for i in range(20)]
CSV, NDJSON = "text/csv", "application/x-ndjson"


@pytest.fixture(scope="module")
def loader(stack):
    return stack.new_client("LOADER")


@pytest.fixture
def batch_id(loader):
    loader.last_load = getattr(loader, "last_load", 4_000_000) + 1
    return loader.last_load


def send(client, batch_id, text, kind=CSV, **query):
    body = text if isinstance(text, bytes) else text.encode()
    return client.api.request("POST", f"/queues/batches/{batch_id}/entries", body, headers={"Content-Type": kind}, **query)


def stored(stack, answer):
    rows = stack.sql("""select e.phone_number, e.custom_data::json, e.did from entry e
                         where e.queue_master_id = %s order by e.entry_id""", answer.ok["queue_id"])
    return [tuple(row) for row in rows]


def test_F8_columns_become_custom_data(stack, loader, batch_id):
    answer = send(loader, batch_id, 'phone_number,name,note\r\n9876500000,"Sharma, A.","said ""no"",\ntwice"\r\n'
                                    '+91 98765 00001,Müller,\r\n')
    assert stored(stack, answer) == [("9876500000", {"name": "Sharma, A.", "note": 'said "no",\ntwice'}, None),
                                     ("+91 98765 00001", {"name": "Müller", "note": ""}, None)]
    assert answer.ok | {"queue_id": 0} == {
        "message": "Queue data inserted successfully", "status": "success", "batch_id": batch_id, "inserted_count": 2,
        "queue_id": 0, "rejected_count": 0, "rejected": []}
    [listed] = [one for one in loader.api.get(f"/clients/queue-masters/{loader.client_id}", sort="-id").ok["items"]
                if one["batch_id"] == batch_id]
    assert (listed["status"], listed["total"]) == ("pending", 2)


def test_F8_custom_data_stays_as_it_is(stack, loader, batch_id):
    csv = send(loader, batch_id, 'custom_data,phone_number\n"{""b"":1.50,""a"":[1]}",9876500000\n,9876500001\n')
    ndjson = send(loader, f"{batch_id}7", '{"phone_number":"9876500000","custom_data":{"b":1.50,"a":[1]}}\n\n'
                                          '{"phone_number":"9876500001"}', NDJSON)
    for answer in csv, ndjson:
        assert stack.sql("select custom_data from entry where queue_master_id = %s order by entry_id",
                         answer.ok["queue_id"]) == [['{"b":1.50,"a":[1]}'], [None]]


def test_a_byte_order_mark_a_semicolon_and_a_did(stack, loader, batch_id):
    did, = stack.sql("select did from client where id = %s", loader.client_id)[0]
    answer = send(loader, batch_id, f"\ufeffphone_number;did;a\r\n9876500000;{did};1,5\r\n9876500001;;\r\n",
                  separator="semicolon", format="csv", kind="application/json")
    assert stored(stack, answer) == [("9876500000", {"a": "1,5"}, did), ("9876500001", {"a": ""}, None)]


@pytest.mark.parametrize("text, code, named", [
    ("", "invalid_value", "no entries"),
    ("phone_number\n", "invalid_value", "no entries"),
    ("number\n1\n", "invalid_csv", "no column phone_number"),
    ("phone_number;a\n1;2\n", "invalid_csv", "separator=semicolon"),
    ("phone_number,a,a\n", "invalid_csv", "names a twice"),
    ("phone_number,\n", "invalid_csv", "without a name"),
    ("phone_number,custom_data,a\n", "invalid_csv", "custom_data and other columns"),
    ("phone_number,a\n9876500000,1\n9876500001\n", "invalid_csv", "line 3 has 1 fields"),
    ('phone_number,a\n9876500000,"x\ny"\n9876500001,a"b\n', "invalid_csv", "line 4 has a quote"),
    ('phone_number,a\n9876500000,"x"y\n', "invalid_csv", "line 2 has text behind"),
    ('phone_number,a\n9876500000,"x\n', "invalid_csv", "begins on line 2"),
    ('phone_number,a\n9876500000,"' + "x" * 70000, "invalid_csv", "is a quote missing"),
    ("phone_number\r9876500000\r", "invalid_csv", "line 1 ends with CR alone"),
    (b"phone_number,a\n9876500000,ok\n9876500001,M\xfcller\n", "invalid_encoding", "line 3"),
    (b"phone_number,a\n9876500000,a\0b\n", "invalid_encoding", "line 2"),
    ("phone_number\n1\n".encode("utf-16"), "invalid_encoding", "UTF-16"),
])
def test_what_is_no_csv_is_refused_by_line(stack, loader, batch_id, text, code, named):
    answer = send(loader, batch_id, text)
    assert (answer.status, answer.json["code"]) == (400, code) and named in answer.json["detail"], answer.json
    assert stack.sql("select 1 from queue_master where batch_id = %s", batch_id) == []


@pytest.mark.parametrize("text, named", [
    ('{"phone_number":"9876500000"}\n{"phone_number":\n', "line 2"), ("[]\n", "line 1"),
    ('{"phone_number":"9876500000"}\n\n{"phone_number":"1"} x', "line 3"),
    ('{"phone_number":"9876500000","custom_data":{"a":"' + "x" * 70000 + '"}}', "line 1 has more")])
def test_what_is_no_ndjson_is_refused_by_line(loader, batch_id, text, named):
    answer = send(loader, batch_id, text, NDJSON)
    assert answer.status == 400 and named in answer.json["detail"], answer.json


def test_the_kind_must_be_said(loader, batch_id):
    for query in {}, {"format": "xml"}, {"format": "csv", "separator": "|"}:
        answer = send(loader, batch_id, "phone_number\n9876500000\n", "application/json", **query)
        assert answer.status == 400 and any(word in answer.json["detail"] for word in ("Content-Type", *query))


def test_what_cannot_be_called_is_rejected_by_line_and_the_rest_taken(stack, loader, batch_id):
    """A spreadsheet's formulas and rounded numbers among it: nobody guesses what they were."""
    text = 'phone_number,a\n=9876500000,1\n9.88E+09,2\n9876500001,=cmd|x\n,3\n9876500002,+1\n'
    answer = send(loader, batch_id, text)
    assert stored(stack, answer) == [("9876500001", {"a": "=cmd|x"}, None), ("9876500002", {"a": "+1"}, None)]
    rejected = answer.ok["rejected"]
    assert [(one["line"], one["phone_number"], one["reason"]) for one in rejected] == [
        (2, "=9876500000", "invalid_number"), (3, "9.88E+09", "invalid_number"), (5, "", "invalid_number")]
    assert "phone_number of line 2" in rejected[0]["detail"] and "rounded by a spreadsheet" in rejected[1]["detail"]
    strict = send(loader, f"{batch_id}8", text, strict=1)
    assert strict.status == 400 and "line 2" in strict.json["detail"]
    assert stack.sql("select 1 from queue_master where batch_id = %s", int(f"{batch_id}8")) == []


def test_bad_entries_of_ndjson_are_rejected_by_line(loader, batch_id):
    answer = send(loader, batch_id, '{"phone_number":"9876500000"}\n{"phone_number":7}\n{"custom_data":{}}\n7\n'
                                    '{"phone_number":"9876500001","did":"4711"}\n', NDJSON)
    # The fourth line is no object: the file is refused.
    assert answer.status == 400 and "line 4" in answer.json["detail"]
    answer = send(loader, batch_id, '{"phone_number":"9876500000"}\n{"phone_number":7}\n{"custom_data":{}}\n'
                                    '{"phone_number":"9876500001","did":"4711"}\n', NDJSON)
    assert [(one["line"], one["reason"]) for one in answer.ok["rejected"]] == [
        (2, "invalid_type"), (3, "missing_field"), (4, "did_denied")]


def test_only_the_first_hundred_rejected_are_listed(loader, batch_id):
    answer = send(loader, batch_id, "phone_number\n9876500000\n" + "x\n" * 250)
    assert (answer.ok["inserted_count"], answer.ok["rejected_count"], len(answer.ok["rejected"])) == (1, 250, 100)
    nobody = send(loader, f"{batch_id}3", "phone_number\n" + "x\n" * 3)
    assert nobody.status == 400 and nobody.json["code"] == "invalid_number"


def test_Q8_the_same_file_again_is_stored_once(stack, loader, batch_id):
    text = "phone_number,a\n" + "".join(f"{number},{i}\n" for i, number in enumerate(NUMBERS)) + "x,y\n"
    first, again = send(loader, batch_id, text), send(loader, batch_id, text.replace("\n", "\r\n"))
    assert again.ok == first.ok and again.headers["Idempotent-Replayed"] == "true"
    other = send(loader, batch_id, text.replace(",7\n", ",8\n"))
    assert (other.status, other.json["code"]) == (409, "batch_id_used")
    assert stack.sql("select count(*) from entry where queue_master_id = %s", first.ok["queue_id"]) == [[20]]


def test_Q9_a_file_is_added_to_a_batch(stack, loader, batch_id):
    first = loader.api.insert(batch_id, NUMBERS[:3])
    more = send(loader, f"{batch_id}1", "phone_number\n" + "\n".join(NUMBERS[3:8]) + "\nx\n", queue_id=first["queue_id"])
    assert more.ok["queue_id"] == first["queue_id"] and more.ok["inserted_count"] == 5
    batch = loader.api.get(f"/queues/batches/{batch_id}").ok
    assert (batch["total"], batch["rejected_count"]) == (8, 1)
    loader.api.post(f"/queues/batches/{batch_id}/cancel").ok
    over = send(loader, f"{batch_id}2", "phone_number\n9876500000\n", queue_id=first["queue_id"])
    assert (over.status, over.json["code"]) == (409, "batch_over")
    assert send(loader, f"{batch_id}4", "phone_number\n9876500000\n", queue_id=987654321).status == 403


def test_chunks_of_a_long_file_are_dialled(stack, asterisk):
    """Three chunks and a bit; numbers that answer and numbers that do not."""
    client = stack.new_client("LOAD-DIAL", channels=40)
    numbers = asterisk.numbers("busy", 40)
    answer = send(client, 51, "phone_number\n" + "".join(f"{number}\n" for number in numbers))
    client.dispatch()
    client.wait_finished(51)
    details = client.api.get("/client-call-details/details", size=100, batch_id=51).ok
    assert sorted(one["phone_number"] for one in details["items"]) == sorted(numbers) and answer.ok["inserted_count"] == 40


def test_entries_of_many_chunks_keep_their_order(stack, loader, batch_id):
    numbers = [f"98{i:08}" for i in range(5000)]
    answer = send(loader, batch_id, "phone_number\n" + "\n".join(numbers))
    assert [number for number, _, _ in stored(stack, answer)] == numbers
    page = loader.api.get(f"/clients/calling-queue-entries/{loader.client_id}/{answer.ok['queue_id']}", page=50, size=100).ok
    assert page["total"] == 5000 and [one["phone_number"] for one in page["items"]] == numbers[4900:]


def test_B4_one_load_of_a_client_at_a_time(stack, loader, batch_id):
    connection = psycopg2.connect(stack.stack.superuser_dsn())
    with connection, connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (f"ccs.load of client {loader.client_id}",))
        answer = send(loader, batch_id, "phone_number\n9876500000\n")
        cursor.execute("select pg_advisory_unlock_all()")
    connection.close()
    assert (answer.status, answer.json["code"]) == (429, "too_many_loads") and int(answer.headers["Retry-After"]) > 0
    assert send(loader, batch_id, "phone_number\n9876500000\n").status == 200


# ccsctl


def ctl_load(stack, *words, text=None):
    return stack.stack.ccs.ctl("batch", "load", *words, text=text)


def test_ccsctl_loads_the_same_file(stack, loader, batch_id, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("phone_number,a\n9876500000,1\nx,2\n9876500001,3\n")
    said = ctl_load(stack, loader.accountcode, path, f"--batch-id={batch_id}")
    assert f"Batch {batch_id} of client LOADER is loaded: 2 entries, 1 rejected." in said and "line 3" in said
    again = send(loader, batch_id, path.read_text())
    assert again.ok["inserted_count"] == 2 and again.headers["Idempotent-Replayed"] == "true"
    [[detail]] = stack.sql("select detail from audit where action = 'batch.load' and subject = 'LOADER' order by id desc limit 1")
    assert detail["batch_id"] == batch_id and detail["entries"] == 2


@pytest.mark.parametrize("words, text, named", [
    (["LOADER", "-", "--format=csv"], "phone_number\n9876500000\n98 \"x\n", "line 3 has a quote"),
    (["NOBODY-HERE", "-", "--format=csv"], "", "no client has accountcode NOBODY-HERE"),
    (["LOADER", "-"], "", "--format=csv"), (["LOADER", "/no/such/file.csv"], "", "/no/such/file.csv"),
    (["LOADER", "-", "--format=csv", "--strict"], "phone_number\n9876500000\nx\n", "phone_number of line 3"),
    (["LOADER", "-", "--format=csv", "--queue-id=99887766"], "", "has no batch 99887766")])
def test_ccsctl_says_what_is_wrong(stack, loader, batch_id, words, text, named):
    with pytest.raises(StackError, match=named):
        ctl_load(stack, *words, f"--batch-id={batch_id}", text=text)
