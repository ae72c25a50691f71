"""Who is let in, and that nobody else learns anything."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from irisdrop.surface.page.access import CODE_LIVES, IDLE, SHIFT, Doorkeeper, make_secret, proof, secret_file
from irisdrop.surface.page.knock import NotTheAgent, knock

SECRET = b"a secret that both sides know, for tests alone"


class Watch:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def keeper(watch: Watch) -> Doorkeeper:
    return Doorkeeper(SECRET, 7474, watch)


def admitted(keeper: Doorkeeper, purpose: str = "page", secret: bytes = SECRET, port: int = 7474) -> str | None:
    ours, told = keeper.challenge("a nonce of the client")
    assert told == proof(SECRET, "server", 7474, "a nonce of the client", ours)
    answer = proof(secret, "client", port, "a nonce of the client", ours, purpose, "anna")
    return keeper.admit(ours, answer, purpose, "anna")  # type: ignore[arg-type]


def test_who_knows_the_secret_gets_a_code_that_works_once(keeper: Doorkeeper) -> None:
    code = admitted(keeper)
    assert code is not None
    cookie = keeper.enter(code)
    assert cookie is not None and keeper.enter(code) is None
    session = keeper.session(cookie, "page")
    assert session is not None and session.person == "anna"


def test_a_wrong_secret_gets_nothing(keeper: Doorkeeper) -> None:
    assert admitted(keeper, secret=b"another one") is None


def test_a_proof_for_another_port_is_no_proof_so_that_a_squatter_cannot_relay_it(keeper: Doorkeeper) -> None:
    assert admitted(keeper, port=7475) is None


def test_a_proof_is_good_for_one_admission(keeper: Doorkeeper) -> None:
    ours, _ = keeper.challenge("a nonce of the client")
    answer = proof(SECRET, "client", 7474, "a nonce of the client", ours, "page", "anna")
    assert keeper.admit(ours, answer, "page", "anna") is not None
    assert keeper.admit(ours, answer, "page", "anna") is None


def test_a_proof_names_its_purpose_and_its_person(keeper: Doorkeeper) -> None:
    for purpose, person in (("tray", "anna"), ("page", "bert")):
        ours, _ = keeper.challenge("a nonce of the client")
        answer = proof(SECRET, "client", 7474, "a nonce of the client", ours, "page", "anna")
        assert keeper.admit(ours, answer, purpose, person) is None  # type: ignore[arg-type]


def test_what_is_said_cannot_be_cut_otherwise() -> None:
    assert proof(SECRET, "ab", "c") != proof(SECRET, "a", "bc")


def test_a_code_lives_thirty_seconds(keeper: Doorkeeper, watch: Watch) -> None:
    code = admitted(keeper)
    watch.now = CODE_LIVES + 0.1
    assert keeper.enter(code or "") is None


def test_a_session_ends_when_nobody_uses_it(keeper: Doorkeeper, watch: Watch) -> None:
    cookie = keeper.enter(admitted(keeper) or "")
    watch.now = IDLE - 1
    assert keeper.session(cookie, "page") is not None
    watch.now = 2 * IDLE - 2
    assert keeper.session(cookie, "page", by_person=False) is not None
    watch.now = 2 * IDLE
    assert keeper.session(cookie, "page") is None, "what the page asks by itself keeps nobody's session alive"


def test_a_session_ends_with_the_shift_however_much_it_is_used(keeper: Doorkeeper, watch: Watch) -> None:
    cookie = keeper.enter(admitted(keeper) or "")
    while watch.now < SHIFT:
        assert keeper.session(cookie, "page") is not None
        watch.now += IDLE / 2
    assert keeper.session(cookie, "page") is None


def test_the_tray_s_token_opens_no_page_and_a_cookie_no_tray(keeper: Doorkeeper) -> None:
    token, cookie = admitted(keeper, "tray"), keeper.enter(admitted(keeper) or "")
    assert keeper.session(token, "page") is None and keeper.session(cookie, "tray") is None
    assert keeper.session(token, "tray") is not None
    assert keeper.enter(token or "") is None


def test_knocking_a_million_times_takes_no_memory(keeper: Doorkeeper) -> None:
    for number in range(1000):
        keeper.challenge(f"a nonce of the client {number}")
    assert len(keeper._challenges) <= 201


def test_the_secret_is_for_our_account_alone(tmp_path: Path) -> None:
    secret = make_secret(tmp_path)
    assert make_secret(tmp_path) == secret and len(secret) == 64
    if os.name == "posix":
        assert stat.S_IMODE(secret_file(tmp_path).stat().st_mode) & 0o007 == 0
        assert stat.S_IMODE(secret_file(tmp_path).parent.stat().st_mode) & 0o007 == 0


def test_a_secret_that_a_crash_left_half_written_is_made_anew(tmp_path: Path) -> None:
    make_secret(tmp_path)
    secret_file(tmp_path).write_bytes(b"half")
    assert len(make_secret(tmp_path)) == 64


# ---------------------------------------------------------------------- a squatter


@pytest.fixture
def squatter() -> Iterator[Any]:
    """A program of another user that listens where the page should be, and keeps all that it is told."""
    heard: list[bytes] = []

    class Listening(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"nonce": "mine", "proof": "0" * 64, "word": "x"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Listening)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1], heard
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_squatter_on_the_port_is_recognised_and_told_nothing(squatter: Any) -> None:
    port, heard = squatter
    with pytest.raises(NotTheAgent):
        knock(port, SECRET, "page", "anna")
    assert len(heard) == 1 and set(json.loads(heard[0])) == {"nonce"}


# ---------------------------------------------------------------------- the door of a page that is served


def test_without_a_cookie_no_page_is_shown(clinic: Any) -> None:
    for path in ("/", "/quarantine", "/images/1", "/worklist", "/profiles", "/state", "/pictures/1", "/live"):
        assert clinic.ask("GET", path).status == 401
        assert clinic.ask("GET", path, cookie="irisdrop=guessed").status == 401
    answer = clinic.ask("GET", "/", Accept="text/html")
    assert (answer.status, answer.headers["Location"]) == (303, "/locked")
    assert clinic.ask("POST", "/quarantine/assign", "", Origin=f"http://127.0.0.1:{clinic.page.port}").status == 401


def test_another_host_is_refused_so_that_rebinding_a_name_gains_nothing(clinic: Any) -> None:
    cookie = clinic.cookie()
    for host in ("evil.example", f"evil.example:{clinic.page.port}", "127.0.0.1", "127.0.0.1:1", "", "localhost.evil"):
        for path in ("/", "/health", "/metrics", "/enter?code=x", "/static/page.css"):
            assert clinic.ask("GET", path, cookie=cookie, Host=host).status == 421


def test_another_origin_is_refused(clinic: Any) -> None:
    cookie = clinic.cookie()
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{clinic.page.port + 1}", "https://127.0.0.1"):
        assert clinic.post("/quarantine/assign", "seen=1:1", cookie, Origin=origin).status == 403
        assert clinic.ask("POST", "/door/challenge", "{}", Origin=origin).status == 403


def test_a_form_without_an_origin_is_refused(clinic: Any) -> None:
    assert clinic.ask("POST", "/quarantine/release", "seen=1:1", clinic.cookie()).status == 403


def test_another_site_of_the_browser_is_refused_for_reading_too(clinic: Any) -> None:
    cookie = clinic.cookie()
    for site in ("cross-site", "same-site"):
        assert clinic.ask("GET", "/", cookie=cookie, Sec_Fetch_Site=site).status == 403


def test_no_path_leads_out_of_the_static_folder(clinic: Any) -> None:
    cookie = clinic.cookie()
    for path in (
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/....//app.py",
        "/static//etc/passwd",
        "/static/%00",
        "/static/..\\app.py",
        "/pictures/../../etc/passwd",
        "/images/1%2f..%2f..%2fstate",
    ):
        answer = clinic.ask("GET", path, cookie=cookie)
        assert answer.status in (404, 400), path
        assert b"import" not in answer.body and b"root:" not in answer.body


def test_every_answer_carries_a_policy_without_inline_and_is_kept_by_no_cache(clinic: Any) -> None:
    cookie = clinic.cookie()
    clinic.refused()
    for path in ("/", "/quarantine", "/pictures/1", "/images/1", "/locked", "/metrics", "/nowhere"):
        headers = clinic.ask("GET", path, cookie=cookie).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Frame-Options"] == "DENY" and headers["X-Content-Type-Options"] == "nosniff"


def test_the_cookie_is_no_script_s_and_no_other_site_s(clinic: Any) -> None:
    link = clinic.link()
    answer = clinic.ask("GET", link[link.index("/enter") :])
    told = answer.headers["Set-Cookie"].lower()
    assert "httponly" in told and "samesite=strict" in told and "domain" not in told


def test_the_page_opens_under_a_name_that_no_other_server_on_this_machine_shares(clinic: Any) -> None:
    assert clinic.page.host.endswith(".localhost") and clinic.page.host in clinic.link()
    host = f"{clinic.page.host}:{clinic.page.port}"
    assert clinic.ask("GET", "/health", Host=host).status == 200


def test_a_body_without_end_is_refused(clinic: Any) -> None:
    cookie = clinic.cookie()
    assert clinic.post("/quarantine/search", "text=" + "a" * 300_000, cookie).status == 413
    assert clinic.ask("POST", "/door/challenge", "x" * 300_000).status == 413
    assert clinic.ask("GET", "/health").status == 200


def test_locking_ends_the_session(clinic: Any) -> None:
    cookie = clinic.cookie()
    assert clinic.ask("GET", "/", cookie=cookie).status == 200
    assert clinic.post("/lock", "", cookie).status == 303
    assert clinic.ask("GET", "/", cookie=cookie).status == 401


def test_a_page_that_fails_tells_nobody_s_name(clinic: Any, monkeypatch: Any) -> None:
    logged: Queue[str] = Queue()
    monkeypatch.setattr("irisdrop.surface.page.door.log.error", lambda text, *more: logged.put(text % more))

    def failing() -> Any:
        raise ValueError("Muster^Anna")

    monkeypatch.setattr(clinic.office, "standing", failing)
    answer = clinic.ask("GET", "/", cookie=clinic.cookie())
    assert answer.status == 500 and "Muster" not in answer.text
    line = logged.get(timeout=20)  # the answer leaves before the line is written
    assert "Muster" not in line and "ValueError" in line and logged.empty()


def test_only_loopback_listens(clinic: Any) -> None:
    assert clinic.page._listener.getsockname()[0] == "127.0.0.1"
