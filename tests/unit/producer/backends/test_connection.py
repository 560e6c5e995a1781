"""What a connection to a farm over HTTP makes of answers, and of none."""

from __future__ import annotations

import gzip
import json
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from stylefarm.producer.backends.remote.backend import RemoteBackend
from stylefarm.producer.backends.remote.connection import FarmConnection
from stylefarm.shared.errors import (
    FarmError,
    InvalidRequest,
    InvalidSettings,
    InvalidSpec,
    JobFailed,
    NotFound,
    NotMigrated,
    ServiceUnavailable,
    StillPending,
    StorageFull,
)
from stylefarm.shared.settings import load_settings

PROBLEM = "application/problem+json"
SWEEP = {"id": "1", "name": "cats", "created_at": "2026-01-01T00:00:00+00:00", "axes": {}, "tags": [], "note": ""}


@dataclass(frozen=True)
class Answer:
    """What the server answers; a status of 0 is no answer: it hangs up."""

    status: int = 200
    document: Any = field(default_factory=dict)
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Script:
    """A server that gives one answer after the other, the last one for ever, and what it was asked."""

    url: str
    answers: list[Answer]
    seen: list[tuple[str, str, Mapping[str, str], bytes]]

    def next(self) -> Answer:
        """The answer to the next request."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


Scripted = Callable[..., Script]


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """Makes the server."""
    servers: list[ThreadingHTTPServer] = []

    def start(*answers: Answer, certificate: Path | None = None) -> Script:
        script = Script("", list(answers), [])

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                script.seen.append((self.command, self.path, dict(self.headers), body))
                answer = script.next()
                if not answer.status:
                    self.close_connection = True
                    return
                whole = answer.document if isinstance(answer.document, bytes) else json.dumps(answer.document).encode()
                data = gzip.compress(whole)
                self.send_response(answer.status)
                own = {"Content-Type": answer.kind, "Content-Length": str(len(data)), "Content-Encoding": "gzip"}
                for name, value in {**own, **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = handle_any  # noqa: N815 - as http.server calls them

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        script.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
        return script

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this machine's address that no authority has signed, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "farm.pem"
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *plain) + built.public_bytes(serialization.Encoding.PEM)
    )
    return file


def connected(script: Script, token: str | None = "t0ken") -> FarmConnection:
    return FarmConnection(script.url, None if token is None else SecretStr(token))


def test_a_request_says_who_asks_and_for_what(scripted: Scripted) -> None:
    """Given lists, texts and nothing as parameters, I expect them in the query, the token in its header, and JSON."""
    script = scripted(Answer(document={"jobs": [1]}))
    connection = connected(script)
    assert connection.get("/jobs", tag=["a", "b"], where=['size="x y"'], cursor=None, limit=5) == {"jobs": [1]}
    method, path, headers, body = script.seen[0]
    assert (method, path, body) == ("GET", "/api/v1/jobs?tag=a&tag=b&where=size%3D%22x%20y%22&limit=5", b"")
    assert headers["Authorization"] == "Bearer t0ken"
    connection.close()


@pytest.mark.parametrize(
    "first",
    [
        Answer(429, {"detail": "later"}, PROBLEM, {"Retry-After": "0"}),
        Answer(503, {"detail": "the database is away"}, PROBLEM, {"Retry-After": "0"}),
        Answer(409, {"detail": "being worked on"}, PROBLEM, {"Retry-After": "0"}),
        Answer(502, "<html>", "text/html"),
        Answer(0),
    ],
)
def test_a_submission_is_sent_again_with_its_key(scripted: Scripted, first: Answer) -> None:
    """Given a farm that is busy, or hangs up, if a job is submitted, I expect it sent again, with the same key."""
    script = scripted(Answer(), first, Answer(document={"job": 1}))
    connection = connected(script)
    connection.get("/jobs")
    assert connection.submit("/jobs", {"job": {}}, "key-1") == {"job": 1}
    asked = script.seen[1:]
    assert len(asked) == 2
    assert asked[0][3] == asked[1][3] == b'{"job":{}}'
    assert {headers["Idempotency-Key"] for _, _, headers, _ in asked} == {"key-1"}
    connection.close()


class Clock:
    """A clock that goes on where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_command_is_not_sent_twice(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a farm that hangs up on a command, I expect it not sent again, and a sentence that says what is unknown."""
    monkeypatch.setattr("stylefarm.producer.backends.remote.connection.time", Clock())
    script = scripted(Answer(0))
    connection = connected(script)
    with pytest.raises(ServiceUnavailable, match="may have carried out the request or not"):
        connection.post("/jobs/1/actions", {"action": "retry"})
    assert len(script.seen) == 1
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        connection.get("/jobs")
    assert len(script.seen) > 2
    connection.close()


@pytest.mark.parametrize(
    ("status", "document", "kind", "sentence"),
    [
        (404, {"detail": "there is no job 1", "error": "NotFound"}, NotFound, "there is no job 1"),
        (422, {"detail": "size = -1", "error": "InvalidSpec"}, InvalidSpec, "size = -1"),
        (422, {"detail": "body.job: Field required"}, InvalidRequest, "Field required"),
        (413, {"detail": "too large"}, InvalidRequest, "too large"),
        (409, {"detail": "it is queued", "error": "StillPending"}, StillPending, "it is queued"),
        (409, {"detail": "it failed", "error": "JobFailed"}, JobFailed, "it failed"),
        (507, {"detail": "the disk is full", "error": "StorageFull"}, StorageFull, "the disk is full"),
        (503, {"detail": "upgrade", "error": "NotMigrated"}, NotMigrated, "upgrade"),
        (500, {"detail": "a bug"}, ServiceUnavailable, "a bug"),
        (404, {"detail": "Not Found"}, InvalidSettings, "is of another release"),
        (422, {"detail": "odd", "error": "SystemExit"}, InvalidRequest, "odd"),
        (404, {"detail": "odd", "error": "StorageFull"}, NotFound, "odd"),
        (403, {"detail": "this needs the role submit"}, InvalidSettings, "role submit: set STYLEFARM_TOKEN"),
        (421, {"detail": "not asked by that name"}, InvalidSettings, "not asked by that name"),
    ],
)
def test_a_problem_is_the_error_that_it_stands_for(
    scripted: Scripted, status: int, document: dict[str, Any], kind: type[FarmError], sentence: str
) -> None:
    """Given a problem document, I expect the error of its name, if that is one of its status, or that of the status."""
    connection = connected(scripted(Answer(status, {**document, "flag": "force"}, PROBLEM)))
    with pytest.raises(kind, match=sentence) as found:
        connection.post("/x", {})
    assert type(found.value) is kind
    connection.close()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(200, "<html>", "text/html"), r"is no farm of stylefarm \(it answers GET with 200, text/html\)"),
        (Answer(404, "<html>", "text/html"), "is no farm of stylefarm"),
        (Answer(200, ["a list"]), r"is no farm of stylefarm \(it answers GET with 200, application/json\)"),
        (Answer(200, b"[" * 100_000), "is no farm of stylefarm"),
        (Answer(200, b"\xff"), "is no farm of stylefarm"),
        (Answer(422, b"[" * 100_000, PROBLEM), "is no farm of stylefarm"),
        (Answer(307, "", "text/html", {"Location": "https://other.example/"}), "the way to https://other.example/"),
        (Answer(401, {"detail": "sign in"}, PROBLEM), "does not know this token"),
    ],
)
def test_what_is_no_farm_is_told_in_a_sentence(scripted: Scripted, answer: Answer, sentence: str) -> None:
    """Given another web server, or a token that is not known, I expect InvalidSettings, and no token sent elsewhere."""
    connection = connected(scripted(answer))
    with pytest.raises(InvalidSettings, match=sentence) as found:
        connection.get("/jobs")
    assert "t0ken" not in str(found.value)
    connection.close()


@pytest.mark.parametrize(
    ("document", "wrong"),
    [
        ({}, "its answer has no 'sweeps'"),
        ({"sweeps": [{"sweep": {"id": "1"}}], "next": None}, "its answer has no 'tags'"),
        ({"sweeps": [{"sweep": 7}], "next": None}, "something in its answer is of another kind"),
        ({"sweeps": [{"sweep": {**SWEEP, "created_at": 5}, "counts": {}}], "next": None}, "something in its answer"),
        ({"sweeps": [{"sweep": SWEEP, "axes": {}, "counts": [1]}], "next": None}, "something in its answer"),
    ],
)
def test_what_an_answer_lacks_is_told_in_a_sentence(scripted: Scripted, document: dict[str, Any], wrong: str) -> None:
    """Given JSON that is not what a farm answers, if it is read, I expect InvalidSettings that says what is wrong."""
    backend = RemoteBackend(load_settings().over_http(scripted(Answer(document=document)).url))
    with pytest.raises(InvalidSettings, match=rf"is of another release than this program \({wrong}"):
        backend.sweeps(5)
    backend.close()


def test_the_address_of_the_api_is_not_that_of_the_farm(scripted: Scripted) -> None:
    """Given an address with a path, if the farm knows nothing there, I expect the path told as what is too much."""
    script = scripted(Answer(404, {"detail": "Not Found"}, PROBLEM))
    connection = FarmConnection(f"{script.url}/api/v1", None)
    with pytest.raises(InvalidSettings, match=r"no farm answers at http://\S+/api/v1: leave out /api/v1"):
        connection.get("/jobs")
    connection.close()


@pytest.mark.parametrize("name", [os.fsdecode(b"\xff.png"), "\ud800"])
def test_a_name_that_is_no_text_is_asked_for(scripted: Scripted, name: str) -> None:
    """Given a name that is no text, as a shell may hand it over, I expect the farm asked for it, and its answer."""
    problem = {"detail": "no job is called so", "error": "NotFound"}
    connection = connected(scripted(Answer(404, problem, PROBLEM)))
    with pytest.raises(NotFound, match="no job is called so"):
        connection.get("/find", reference=name)
    connection.close()


def test_without_a_token_one_is_asked_for(scripted: Scripted) -> None:
    """Given no token, if the farm wants one, I expect a sentence on how to get it."""
    connection = connected(scripted(Answer(401, {"detail": "sign in"}, PROBLEM)), None)
    with pytest.raises(InvalidSettings, match="wants a token: set STYLEFARM_TOKEN"):
        connection.get("/jobs")
    connection.close()


def test_a_flag_is_told_as_an_option(scripted: Scripted) -> None:
    """Given a problem that names an argument, I expect the command line to tell its option."""
    document = {"detail": "give force=True", "error": "InvalidRequest", "flag": "force"}
    connection = connected(scripted(Answer(422, document, PROBLEM)))
    with pytest.raises(InvalidRequest) as found:
        connection.get("/jobs")
    assert found.value.on_command_line == "give --force"
    connection.close()


def test_patience_ends(scripted: Scripted) -> None:
    """Given a farm that is away for longer than a request may take, I expect its sentence at once."""
    problem = {"detail": "the database is away", "error": "ServiceUnavailable"}
    connection = connected(scripted(Answer(503, problem, PROBLEM, {"Retry-After": "3600"})))
    began = time.monotonic()
    with pytest.raises(ServiceUnavailable, match="the database is away"):
        connection.get("/jobs")
    assert time.monotonic() - began < 30
    connection.close()


def test_a_certificate_must_be_trusted(scripted: Scripted, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a certificate that nobody has signed, I expect it refused before the token is sent, unless it is named."""
    script = scripted(Answer(document={"jobs": []}), certificate=certificate)
    connection = connected(script)
    with pytest.raises(InvalidSettings, match=r"cannot be trusted \(.*SSL_CERT_FILE"):
        connection.get("/jobs")
    assert script.seen == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert connected(script).get("/jobs") == {"jobs": []}


def test_a_port_that_speaks_no_tls(scripted: Scripted) -> None:
    """Given https:// and a server without TLS, I expect a sentence that says so."""
    script = scripted(Answer())
    connection = FarmConnection(script.url.replace("http:", "https:"), SecretStr("t0ken"))
    with pytest.raises(ServiceUnavailable, match="does not speak TLS"):
        connection.get("/jobs")
    connection.close()
