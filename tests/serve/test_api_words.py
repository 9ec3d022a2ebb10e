"""What the service says when it cannot do what is asked: plain words, about what the client sent, as it calls it."""

from __future__ import annotations

from typing import Any

import pytest
from _uploads import upload
from starlette.testclient import TestClient

ASKS = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "status", "error", "found"),
    [
        (b'{"study": ', 422, "the body is not JSON that can be read", "character 10"),
        (b"", 422, "the body is missing", None),
        (b"\xff\xfe{", 400, "the body is not JSON that can be read", None),
        (b"[" * 100_000, 400, "the body is not JSON that can be read", None),
        (b"[]", 422, "the body must be keys with their values", "[]"),
        (b"{}", 422, "study is missing", None),
        (b'{"study": 7}', 422, "study must be a text", "7"),
        (b'{"study": "a/b"}', 422, "study must be letters, digits, '_' and '-', 64 at most", "'a/b'"),
        (b'{"study": "a", "studdy": 1}', 422, "studdy: no such field", None),
        (
            b'{"study": "a", "kind": "guess"}',
            422,
            "kind must be 'predict', 'explain', 'change' or 'advise'",
            "'guess'",
        ),
    ],
)
def test_what_is_wrong_with_a_body_is_said_plainly(
    client: TestClient, body: bytes, status: int, error: str, found: str | None
) -> None:
    got = client.post("/api/jobs", content=body, headers=ASKS)
    said = got.json()
    assert (got.status_code, said["error"]) == (status, error)
    assert (said["found"] or "").endswith(found or "") and said["hint"]


def test_what_is_wrong_with_a_query_is_said_plainly(client: TestClient) -> None:
    said = client.get("/api/audit?last=many").json()
    assert (said["error"], said["found"]) == ("last must be a whole number", "'many'")
    assert client.get("/api/audit?last=-1").json()["error"] == "last must be 0 or more"
    assert client.get("/nowhere").json() == {"error": "Not Found", "found": None, "hint": None}


@pytest.mark.parametrize(
    ("sent", "shown"), [("a%22b.png", 'a"b.png'), ("50%0D%0A.png", "50.png"), ("100%.png", "100%.png"),
    ("%2e%2e.png", "%2e%2e.png")],
)  # fmt: skip
def test_names_of_files_are_shown_as_they_are(clients: Any, picture: bytes, sent: str, shown: str) -> None:
    head = f'--x\r\ncontent-disposition: form-data; name="files"; filename="{sent}"\r\n\r\n'
    body = head.encode() + picture + b"\r\n--x--\r\n"
    kind = {"content-type": "multipart/form-data; boundary=x"}
    (case,) = clients().post("/api/studies", content=body, headers=kind).json()["cases"]
    assert case["name"] == shown.removesuffix(".png")


def test_a_quotation_mark_of_httpx_comes_back(clients: Any, picture: bytes) -> None:
    made = upload(clients(), ('say "a".png', picture)).json()
    assert made["cases"][0]["name"] == 'say "a"'
