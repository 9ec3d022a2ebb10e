"""A language model's server that hangs, drips, lies, packs, redirects or answers 10 MB costs a line, never more."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vesalius.adjunct.server import ChatServer
from vesalius.core.errors import DataError

ASKED = [{"role": "user", "content": "Findings: none."}]


@contextmanager
def serving(
    answer: Callable[[BaseHTTPRequestHandler], None],
) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A server on this machine; what it was asked is listed."""
    seen: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append({"path": self.path, "headers": dict(self.headers), **json.loads(body)})
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        server.server_close()


def says(body: bytes | str, *, status: int = 200, **head: str) -> Callable[[BaseHTTPRequestHandler], None]:
    raw = body.encode() if isinstance(body, str) else body

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **head}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(raw)

    return answer


def completion(text: object) -> str:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]})


def test_a_reply_comes_as_plain_text_and_signs_that_turn_it_round_are_gone() -> None:
    with serving(says(completion("Follow up.\u202e\x1b[31m ok"))) as (url, seen):
        assert ChatServer(url, "tiny", key="secret").reply(ASKED) == "Follow up.[31m ok"
    assert seen[0]["path"] == "/v1/chat/completions" and seen[0]["messages"] == ASKED
    assert seen[0]["temperature"] == 0 and seen[0]["headers"]["Authorization"] == "Bearer secret"  # type: ignore[index]
    assert "secret" not in repr(ChatServer(url, key="secret"))


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (says("not json"), "another form"),
        (says("[" * 100_000), "another form"),
        (says(completion(None)), "without words"),
        (says(completion({"tool": "rm"})), "without words"),
        (says(completion("  ")), "without words"),
        (says("x" * (10 << 20)), "too great a length; found more than 256 KiB"),
        (says(completion("word " * 5000)), "too great a length; found 25,000 letters"),
        (says("no", status=500), "refused; found status 500"),
        (says("", status=302, Location="http://example.com/v1"), "refused; found status 302"),
        (says(b"\x1f\x8b" + b"\0" * 50, Content_Encoding="gzip"), "packed its answer"),
    ],
)
def test_what_a_stranger_may_answer_is_refused_in_a_line(
    answer: Callable[[BaseHTTPRequestHandler], None], match: str
) -> None:
    with serving(answer) as (url, seen), pytest.raises(DataError, match=match):
        ChatServer(url).reply(ASKED)
    assert len(seen) == 1, "nothing is asked twice"


def test_a_server_that_hangs_or_drips_is_left_in_time() -> None:
    over = threading.Event()

    def drips(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not over.wait(0.05):
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                return

    for answer in (lambda _: over.wait(5), drips):
        with serving(answer) as (url, _):
            began = time.monotonic()
            with pytest.raises(DataError, match="did not answer in time; found 0.4 s"):
                ChatServer(url, patience_s=0.4).reply(ASKED)
            assert time.monotonic() - began < 2
            over.set()
        over.clear()
    with pytest.raises(DataError, match="cannot be asked"):
        ChatServer("http://127.0.0.1:9/v1", patience_s=1).reply(ASKED)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/v1", "http://127.0.0.1.example.com/v1", "http://10.0.0.1/v1", "ftp://localhost/v1",
        "http://localhost@example.com/v1", "http://user:word@localhost/v1", "file:///etc/passwd", "localhost:11434",
        "http://localhost:0/v1", "http://localhost:99999/v1", "http://0.0.0.0/v1", "http://localhost/v1?key=1",
    ],
)  # fmt: skip
def test_other_hosts_and_odd_urls_are_refused_before_anything_leaves(url: str) -> None:
    with pytest.raises(DataError, match="this machine|no URL"):
        ChatServer(url)


def test_a_host_that_is_allowed_is_asked_over_https_alone() -> None:
    with pytest.raises(DataError, match="over https alone"):
        ChatServer("http://llm.hospital/v1", allowed=("llm.hospital",))
    assert ChatServer("https://LLM.hospital:8443/v1", allowed=("llm.hospital",)).host == "LLM.hospital:8443"
    assert ChatServer("http://[::1]:8080/v1").host == "[::1]:8080"
