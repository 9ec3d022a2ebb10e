"""A node's settings, and what is seen and done beside it on the command line."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vesalius.cli import app
from vesalius.core.errors import BundleError, PlanError, UnknownName, UnsafeError, VesaliusError
from vesalius.core.progress import Silent
from vesalius.serve.node import puller
from vesalius.serve.node import run as node
from vesalius.serve.node.listener import Peer
from vesalius.serve.node.settings import Settings, load

GOOD = """
aet: VESALIUS
port: 0
allow:
  - {aet: CT1, address: 10.1.2.0/24}
destinations:
  pacs: {host: 127.0.0.1, port: 4242, aet: ORTHANC, orthanc: "http://127.0.0.1:8042", orthanc_login: login}
rules:
  - {bundle: bundles/liver, destination: pacs, modality: CT}
attempts: 1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "node.yaml").write_text(GOOD)
    return tmp_path / "node.yaml"


def said(*words: str) -> str:
    done = CliRunner().invoke(app, ["serve", "--dicom", *words])
    assert done.exit_code == 0, done.output + str(done.exception)
    return done.output.strip()


def test_paths_are_relative_to_the_file(path: Path) -> None:
    found = load(path)
    assert found.store == path.parent / "store" and found.rules[0].bundle == str(
        path.parent / "bundles/liver"
    )
    assert found.destinations["pacs"].orthanc_login == path.parent / "login"
    assert found.host == "127.0.0.1" and found.peers == (Peer("CT1", "10.1.2.0/24"),)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("aet: VESALIUS", "aet: A TITLE OF MORE THAN SIXTEEN", "aet"),
        ("10.1.2.0/24", "10.1.2.0/99", "allow.0.address"),
        ("port: 0", "ports: 0", "ports"),
        ("attempts: 1", "tls: {cert: c, key: k, cas: x}", "tls.cas"),
        ("aet: ORTHANC", "aet: ORTHANC, tls: true", "wants TLS"),
        ("attempts: 1", "queue: mysql://x", "queue"),
    ],
)
def test_what_is_wrong_in_the_settings_is_one_line_with_its_place(
    path: Path, before: str, after: str, says: str
) -> None:
    path.write_text(GOOD.replace(before, after))
    with pytest.raises(PlanError, match=says) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_node_that_would_be_open_to_all_or_has_no_bundle_does_not_start(path: Path) -> None:
    found, stop = load(path), threading.Event()
    with pytest.raises(UnsafeError, match="AE titles alone"):
        wide = found.model_copy(update={"host": "0.0.0.0", "allow": ()})
        titles = Settings.model_validate({**wide.model_dump(), "allow": [{"aet": "CT1"}]})
        node.run_node(titles, progress=Silent(), stop=stop)
    assert not found.store.exists()
    with pytest.raises((BundleError, VesaliusError), match="liver"):
        node.run_node(found, progress=Silent(), stop=stop)


def test_a_series_that_was_given_up_is_listed_and_tried_again(path: Path) -> None:
    assert (
        said(str(path), "--status") == "no series has come yet"
        and said(str(path), "--dead-letters") == "none"
    )
    with node.opened(load(path).model_copy(update={"stable_s": 0.0})) as (_, queue):
        for k in (1, 2):
            queue.add("1", f"1.2.{k}", f"1.2.{k}.1")
            job = queue.claim()
            assert job is not None
            queue.fail(job, "no answer")
    lines = said(str(path), "--dead-letters").splitlines()
    assert [x.split()[0] for x in lines] == ["1.2.1", "1.2.2"] and all(x.endswith("no answer") for x in lines)
    assert said(str(path), "--replay", "1.2.1") == "1 series are tried again"
    assert said(str(path), "--replay", "all") == "1 series are tried again"
    status = said(str(path), "--status")
    assert status.startswith("ready") and "longest wait since" in status


def test_one_thing_at_a_time_and_known_names(path: Path) -> None:
    done = CliRunner().invoke(app, ["serve", "--dicom", str(path), "--status", "--dead-letters"])
    assert isinstance(done.exception, VesaliusError) and "one thing" in str(done.exception)
    with pytest.raises(UnknownName, match="dead letter"):
        node.replay(load(path), "1.2.3")
    with pytest.raises(UnknownName, match="destination 'elsewhere'"):
        puller.pull(load(path), "1.2.3", peer="elsewhere")
