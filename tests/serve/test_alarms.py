"""Alarms: an address that dies, hangs or refuses delays nothing, what is lost is said, nothing of a patient leaves."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from _bundles import segmenter
from _clients import Clients
from _hooks import Ear, hearing

from _patience import until
from vesalius.core.errors import CodeError, DataError, VesaliusError
from vesalius.core.learned import UNLIKE
from vesalius.core.progress import Silent
from vesalius.infer.drifting import DriftReport, Followed
from vesalius.serve.alarms import Alarms, DriftWatch, QueueWatch, strange_told, tell_strange
from vesalius.serve.models import LoadedModel
from vesalius.serve.node.run import run_node
from vesalius.serve.node.settings import load
from vesalius.serve.webhook import SIGNATURE, Address, Patience, Webhook, signature

QUICK = Patience(attempt_s=60.0, waits_s=(0.02, 0.05), most=3, close_s=5.0)


def model(*features: str) -> LoadedModel:
    """A stand-in for a model that is followed: its report is set by the test."""
    drifting = SimpleNamespace(
        reference=SimpleNamespace(names=("brightness", "net 1")), report=lambda: drifting.now
    )
    drifting.now = DriftReport(known=True, cases=60, rate=0.01)
    made = SimpleNamespace(
        name="chest", bundle=SimpleNamespace(name="chest", hash="ab" * 32), drifting=drifting
    )
    return cast("LoadedModel", made)


def drifts(one: LoadedModel, *names: str) -> None:
    features = tuple(Followed(n, n in names, 400.0, 91.0) for n in ("brightness", "net 1"))
    cast("Any", one.drifting).now = DriftReport(True, 70, 40, 0.01, 0, features)


def test_an_event_arrives_signed_and_says_nothing_that_was_not_declared() -> None:
    with hearing(Ear()) as ear:
        alarms = Alarms(Address(ear.url, "s3cret"), models=[model()], patience=QUICK)
        alarms.start()
        until(lambda: ear.bodies)
        alarms.close()
    (body,), (raw,), (head,) = ear.bodies, ear.raw, ear.heads
    assert body["event"] == "started" and body["facts"] == {"models": ["chest"], "bundles": ["ab" * 32]}
    assert set(body) == {"event", "facts", "at", "id", "from", "version", "lost"} and body["lost"] == 0
    stamp, _, made = head[SIGNATURE].removeprefix("t=").partition(",v1=")
    assert made == hmac.new(b"s3cret", stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
    assert abs(int(stamp) - time.time()) < 60 and ear.paths == ["/hook?token=t0k3n"]


def test_a_signature_by_hand() -> None:
    known = hmac.new(b"key", b"5.{}", "sha256").hexdigest()
    assert signature("key", b"{}", at=5) == f"t=5,v1={known}"
    assert signature("key", b"{}", at=6) != signature("key", b"{}", at=5)


@pytest.mark.parametrize(
    ("event", "facts"),
    [
        ("drift", {"model": "Doe^Jane"}),
        ("drift", {"features": ["brightness", "Doe^Jane"]}),
        ("drift", {"patient": 7}),
        ("drift", {"rate": float("nan")}),
        ("queue", {"state": "1.2.840.113619"}),
        ("pixels", {}),
    ],
)
def test_what_is_not_declared_never_leaves(event: str, facts: Any) -> None:
    with hearing(Ear()) as ear:
        alarms = Alarms(Address(ear.url), models=[model()], patience=QUICK)
        with pytest.raises(CodeError):
            alarms.tell(event, facts)
        alarms.close()
    assert ear.bodies == []
    with pytest.raises(CodeError):
        Alarms(models=[model()]).tell(event, facts)  # without an address, too: a mistake shows in any test


def test_an_address_that_is_killed_and_started_again_hears_all_that_waited(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ear, ended = Ear(), Counter[str]()
    with hearing(ear):
        pass  # it has a port now, and nobody listens
    hook = Webhook(Address(ear.url), patience=QUICK, heard=lambda outcome: ended.update([outcome]))
    with caplog.at_level(logging.WARNING, "vesalius.serve"):
        began = time.monotonic()
        taken = [hook.put({"event": str(k)}) for k in range(5)]
        assert time.monotonic() - began < 0.5, "nobody waits for a dead address"
        assert taken == [True, True, True, False, False]
        until(lambda: caplog.messages)
        with hearing(ear):
            until(lambda: hook.waiting() == 0 and ended["delivered"] == 3)
        hook.put({"event": "late"})
        with hearing(ear):
            until(lambda: ended["delivered"] == 4)
    hook.close()
    assert ear.events() == ["0", "1", "2", "late"] and ended["dropped"] == 2
    assert [body["lost"] for body in ear.bodies] == [2, 0, 0, 0], "the first that arrives says what did not"
    assert "t0k3n" not in caplog.text and f"127.0.0.1:{ear.port}" in caplog.text
    assert sum("do not reach" in text for text in caplog.messages) <= 2, "not once an attempt"


def test_a_busy_address_is_asked_again_and_one_that_refuses_or_redirects_is_not() -> None:
    ended = Counter[str]()
    with hearing(Ear(), answers=[503, 429, 204, 302, 400, 204]) as ear:
        hook = Webhook(Address(ear.url), patience=QUICK, heard=lambda outcome: ended.update([outcome]))
        for k in range(4):
            until(lambda: hook.waiting() == 0)
            hook.put({"event": str(k)})
        until(lambda: sum(ended.values()) == 4)
        hook.close()
    assert ear.events() == ["0", "3"] and ended == {"delivered": 2, "refused": 2}
    assert len(ear.paths) == 6 and set(ear.paths) == {"/hook?token=t0k3n"}, "no redirect is followed"
    assert ear.bodies[1]["lost"] == 2


def test_an_address_that_hangs_is_left_in_time_and_what_is_too_old_is_given_up() -> None:
    over, ended = threading.Event(), Counter[str]()
    patience = Patience(attempt_s=0.1, waits_s=(0.02,), keep_s=0.15, close_s=5.0)
    with hearing(Ear(), hang=over) as ear:
        hook = Webhook(Address(ear.url), patience=patience, heard=lambda outcome: ended.update([outcome]))
        hook.put({"event": "0"})
        until(lambda: ended["given up"] == 1)
        over.set()
        hook.close()


@pytest.mark.parametrize(
    "url",
    ["ftp://h/x", "file:///etc/passwd", "https://u:p@h/", "https://", "http://h:99999/", "http://h/\nX: y"],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(DataError, match="no address for alarms"):
        Address(url)
    assert str(Address("https://host:8443/path?token=x")) == "host:8443"


def test_a_drift_is_told_once_and_again_where_more_drifts() -> None:
    one = model()
    with hearing(Ear()) as ear:
        alarms = Alarms(Address(ear.url), models=[one], patience=QUICK)
        watch = DriftWatch(alarms, [one, one])
        watch.look()
        for names in [("brightness",), ("brightness",), ("brightness", "net 1")]:
            drifts(one, *names)
            watch.look()
        until(lambda: len(ear.bodies) == 2)
        alarms.close()
    assert [body["facts"]["features"] for body in ear.bodies] == [["brightness"], ["brightness", "net 1"]]
    assert ear.bodies[0]["facts"]["cases"] == 70 and "Doe" not in json.dumps(ear.bodies)


def test_a_strange_case_is_told_and_not_which_it_was() -> None:
    with hearing(Ear()) as ear:
        alarms = Alarms(Address(ear.url, "s3cret"), models=[model()], patience=QUICK)
        for outside in (
            None,
            (),
            ("axes at 3 degrees",),
            (f"{UNLIKE}score 3, above the 2 which 5 % exceed",),
        ):
            tell_strange(alarms, outside, model="chest", bundle="ab" * 32)
        until(lambda: ear.bodies)
        alarms.close()
    assert [(b["event"], b["facts"]) for b in ear.bodies] == [
        ("anomaly", {"model": "chest", "bundle": "ab" * 32})
    ]


def test_a_node_tells_of_a_strange_case_by_its_bundles_name_and_no_path() -> None:
    with hearing(Ear()) as ear:
        alarms = Alarms(Address(ear.url), models=[model()], by="node", patience=QUICK)
        tell = strange_told(alarms, {"/srv/Doe/chest": model()})
        for outside in (None, ("axes at 3 degrees",), (f"{UNLIKE}score 3, above the 2 which 5 % exceed",)):
            tell("/srv/Doe/chest", outside)
        until(lambda: ear.bodies)
        alarms.close()
    (body,) = ear.bodies
    assert (body["event"], body["from"]) == ("anomaly", "node")
    assert body["facts"] == {"model": "chest", "bundle": "ab" * 32} and "Doe" not in json.dumps(body)


def test_a_stuck_queue_is_told_once_and_that_it_moves_again() -> None:
    told: list[Any] = []
    alarms = Alarms()
    alarms.tell = lambda event, facts: told.append((event, facts))  # type: ignore[method-assign]
    watch = QueueWatch(alarms, stuck_s=300)
    for waiting, silent in [(0, 900), (2, 299), (2, 300), (3, 330), (3, 1), (0, 0)]:
        watch.look(waiting=waiting, silent_s=silent)
    assert [(f["state"], f["waiting"]) for _, f in told] == [("stuck", 2), ("moving", 3)]


def test_a_service_tells_and_shows_how_alarms_ended(clients: Clients) -> None:
    with hearing(Ear()) as ear:
        client = clients(alarm=Address(ear.url, "s3cret"))
        service = client.app.state.service  # type: ignore[attr-defined]
        until(lambda: ear.events() == ["started"])
        service.jobs.waiting = lambda: 1
        service.jobs.moved -= 400
        service.watch()
        until(lambda: ear.events() == ["started", "queue"])
        until(lambda: 'vesalius_alarms_total{outcome="delivered"} 2.0' in client.get("/metrics").text)
        assert "vesalius_alarms_waiting 0.0" in client.get("/metrics").text
    assert ear.bodies[0]["facts"]["models"] and ear.bodies[1]["facts"]["state"] == "stuck"


@pytest.mark.parametrize(
    ("alarm", "match"),
    [
        ("{url: ftp://h/x}", "alarm.*url.*no address for alarms"),
        ("{url: 'https://h/x', secret: nowhere}", "nowhere cannot be read"),
        ("{link: 'https://h/x'}", "alarm"),
    ],
)
def test_a_node_with_an_alarm_that_cannot_be_used_does_not_start(
    tmp_path: Path, alarm: str, match: str
) -> None:
    with pytest.raises(VesaliusError, match=match):
        run_node(load(settings(tmp_path, alarm)), progress=Silent(), stop=threading.Event())


def test_a_node_tells_that_it_started_by_its_bundles_name_and_no_path(tmp_path: Path) -> None:
    segmenter(tmp_path / "Doe" / "organs")
    (tmp_path / "secret").write_text("s3cret\n")
    stop = threading.Event()
    with hearing(Ear()) as ear:
        found = load(settings(tmp_path, f"{{url: '{ear.url}', secret: secret}}"))
        run_node(
            found, progress=Silent(), stop=stop, ready=lambda port: until(lambda: ear.bodies) and stop.set()
        )
    assert ear.bodies[0]["from"] == "node" and ear.bodies[0]["facts"]["models"] == ["organs"]
    assert SIGNATURE in ear.heads[0] and "Doe" not in ear.raw[0].decode()


def settings(folder: Path, alarm: str) -> Path:
    (folder / "Doe" / "organs").mkdir(parents=True, exist_ok=True)
    path = folder / "node.yaml"
    there = "destinations: {out: {host: 127.0.0.1, port: 11113, aet: PACS}}"
    rules = "rules: [{bundle: Doe/organs, destination: out}]"
    path.write_text(f"port: 0\nstore: store\nselftest: false\nalarm: {alarm}\n{there}\n{rules}\n")
    return path
