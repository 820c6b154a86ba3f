"""What a browser asks for: HEAD, OPTIONS, and pages of other origins."""
import subprocess
import sys

import pytest
from places import PROGRAMS, ROOT

sys.path.append(str(ROOT / "tests/contract"))
from endpoints import endpoints  # noqa: E402  (found by the line above)

SHOP, OFFICE = "https://shop.example", "https://office.example:8443"
ME = "/clients/me"
CALL = "/queues/quickcall/"
SHOWN = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after", "x-request-id",
         "idempotent-replayed", "etag"}
PLAIN_READS = [one.pattern for one in endpoints() if one.method == "GET" and "{" not in one.pattern and one.who != "ADMIN"]


@pytest.fixture(scope="module")
def client(stack):
    return stack.new_client("BROWSER")


@pytest.fixture(scope="module")
def pages(stack, client):
    """Two origins are allowed while this lives."""
    nginx = stack.stack.nginx
    with stack.api_configured(allowed_origins=f"{SHOP} {OFFICE}"):
        nginx.reload()
        stack.wait_until(lambda: readable(refused_by_nginx(client.api)), "nginx knows the origins")
        yield client.api
    nginx.reload()
    stack.wait_until(lambda: not readable(refused_by_nginx(client.api)), "nginx has forgotten them")


def words(answer, header) -> set:
    return {word.strip().lower() for word in answer.headers[header].split(",")}


def cors_headers(answer) -> list:
    return [name for name in answer.headers if name.lower().startswith("access-control")]


def readable(answer) -> bool:
    return answer.headers["Access-Control-Allow-Origin"] is not None


def refused_by_nginx(api, origin=SHOP):
    return api.request("POST", ME, b"x" * 70_000, headers={"Origin": origin})


def preflight(api, path, method, origin=SHOP):
    """As a browser sends it: without any credential."""
    return api.as_client(None).request("OPTIONS", path, headers={
        "Origin": origin, "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key,x-api-key"})


@pytest.mark.parametrize("path", PLAIN_READS)
def test_head_is_get_without_a_body(client, path):
    head, get = (client.api.request(method, path) for method in ("HEAD", "GET"))
    assert head.status == get.status == 200 and head.body == b""
    for name in "Content-Type", "Cache-Control", "X-RateLimit-Limit":
        assert head.headers[name] == get.headers[name]
    assert int(head.headers["Content-Length"]) > 0


@pytest.mark.parametrize("path, allow", [(ME, "GET, HEAD, OPTIONS"), (CALL, "POST, OPTIONS"),
                                         ("/clients/regenerate-api-key", "POST, PUT, OPTIONS"),
                                         ("/queues/batches/1", "GET, HEAD, PATCH, OPTIONS")])
@pytest.mark.parametrize("slash", ["", "/"])
def test_X4_options_says_what_an_address_takes(client, path, allow, slash):
    answer = client.api.as_client(None).request("OPTIONS", path.rstrip("/") + slash)
    assert answer.headers["Allow"] == allow and answer.ok == {"allow": allow.split(", ")}
    assert answer.headers["X-Request-Id"] and not cors_headers(answer)


def test_X2_other_methods_are_refused_by_the_same_list(client):
    for path, method, allow in (ME, "DELETE", "GET, HEAD, OPTIONS"), (CALL, "GET", "POST, OPTIONS"), \
            (CALL, "PATCH", "POST, OPTIONS"), (ME, "PROPFIND", "GET, HEAD, OPTIONS"):
        answer = client.api.request(method, path)
        assert (answer.status, answer.headers["Allow"]) == (405, allow)
        assert allow in answer.json["detail"]
    assert client.api.request("OPTIONS", "/no/such/path").status == 404


def test_no_page_of_another_origin_by_default(client):
    assert not cors_headers(preflight(client.api, ME, "GET"))
    answer = client.api.request("GET", ME, headers={"Origin": SHOP})
    assert answer.status == 200 and not cors_headers(answer) and answer.headers["Vary"] is None


@pytest.mark.parametrize("origin", [SHOP, OFFICE])
@pytest.mark.parametrize("path, method", [(ME, "GET"), (CALL, "POST")])
def test_G9_fetch_from_a_page_of_another_origin(pages, path, method, origin):
    asked = preflight(pages, path, method, origin)
    assert asked.status == 200 and asked.headers["Access-Control-Allow-Origin"] == origin
    assert method.lower() in words(asked, "Access-Control-Allow-Methods")
    assert {"x-api-key", "authorization", "content-type", "idempotency-key", "if-match"} \
        <= words(asked, "Access-Control-Allow-Headers")
    assert int(asked.headers["Access-Control-Max-Age"]) > 0 and "origin" in words(asked, "Vary")
    body = {"phone_number": "12"} if method == "POST" else None
    for api, status in (pages, 400 if body else 200), (pages.as_client(None), 401):
        answer = api.request(method, path, body, headers={"Origin": origin})
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == origin  # a page may read errors, too
        assert words(answer, "Access-Control-Expose-Headers") == SHOWN and "origin" in words(answer, "Vary")
        assert answer.headers["Access-Control-Allow-Credentials"] is None


@pytest.mark.parametrize("path, body", [
    (CALL, {"phone_number": "9020000001"}),
    ("/queues/insertdataincallqueue", {"batch_id": 1, "data": [{"phone_number": "9020000001"}]})])
def test_G9_a_page_reads_the_answer_to_what_is_stored_with_others(pages, path, body):
    answer = pages.request("POST", path, body, headers={"Origin": SHOP})
    assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert SHOWN <= words(answer, "Access-Control-Expose-Headers")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://shop.example.evil.example",
                                    "https://shop.example:443", "http://shop.example", "HTTPS://SHOP.EXAMPLE", "*",
                                    f"{SHOP} {OFFICE}", ""])
def test_no_page_of_any_other_origin(pages, origin):
    assert not cors_headers(preflight(pages, ME, "GET", origin))
    answer = pages.request("GET", ME, headers={"Origin": origin})
    assert answer.status == 200 and not cors_headers(answer)
    assert answer.headers["Vary"] == "Origin"  # a cache must not keep it for those who are allowed


def test_a_page_may_read_what_nginx_refuses(pages):
    answer = refused_by_nginx(pages, OFFICE)
    assert answer.status == 413 and answer.headers["Access-Control-Allow-Origin"] == OFFICE
    assert words(answer, "Access-Control-Expose-Headers") == {"retry-after", "x-request-id"}
    assert not cors_headers(refused_by_nginx(pages, "https://evil.example"))


def test_a_preflight_counts_for_nobody(pages):
    before = int(pages.get(ME).headers["X-RateLimit-Remaining"])
    for _ in range(5):
        assert preflight(pages, ME, "GET").headers["X-RateLimit-Remaining"] is None
    assert int(pages.get(ME).headers["X-RateLimit-Remaining"]) >= before - 1


@pytest.mark.parametrize("origins", ["shop.example", "https://shop.example/", "*", "https://Shop.example",
                                     "https://shop.example:0", "https://a.example,https://b.example"])
def test_strange_origins_are_refused_by_the_check(stack, tmp_path, origins):
    conf = tmp_path / "ccs.conf"
    conf.write_text(f"{stack.stack.ccs.conf.read_text()}\n[api]\nallowed_origins = {origins}\n")
    done = subprocess.run([PROGRAMS / "ccsctl", "-c", conf, "conf", "check"], capture_output=True,
                          text=True, check=False)
    assert done.returncode != 0 and "api.allowed_origins" in done.stdout
