"""A node's settings, and what is seen and done beside it on the command line."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vesalius.cli import app
from vesalius.core.errors import DataError, PlanError, UnknownName, UnsafeError, VesaliusError
from vesalius.core.progress import Silent
from vesalius.serve.node import run as node
from vesalius.serve.node.checks import likely_mistakes
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
    (path.parent / "login").write_text("a:b")
    with pytest.raises(PlanError, match=r"rules.0.bundle: no bundle at .*liver"):
        node.run_node(found, progress=Silent(), stop=stop)


def test_a_series_that_was_given_up_is_listed_and_tried_again(path: Path) -> None:
    first, disk, last = said(str(path), "--status").splitlines()
    assert first == "no series has come yet" and last == "the node does not run"
    assert disk.startswith("disk: ") and disk.endswith("of which 256 stay free")
    assert said(str(path), "--dead-letters") == "none"
    with node.opened_store(load(path).model_copy(update={"stable_s": 0.0})) as (_, queue):
        for k in (1, 2):
            queue.add("1", f"1.2.{k}", f"1.2.{k}.1")
            job = queue.claim()
            assert job is not None
            queue.fail(job, "no answer")
    lines = said(str(path), "--dead-letters").splitlines()
    assert [x.split()[0] for x in lines] == ["1.2.1", "1.2.2"] and all(x.endswith("no answer") for x in lines)
    assert "dead: 2, no answer" in said(str(path), "--status").splitlines()
    assert said(str(path), "--replay", "1.2.1") == "1 series are tried again"
    assert said(str(path), "--replay", "all") == "1 series are tried again"
    status = said(str(path), "--status")
    assert status.startswith("ready") and "longest wait since" in status


PACS = 'pacs: {host: 127.0.0.1, port: 4242, aet: ORTHANC, orthanc: "http://127.0.0.1:8042", orthanc_login: login}'


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("port: 0", "port: true", "line 3: port must be a whole number; found True"),
        ("port: 0", "port: '0'", "found '0'; try: 0"),
        ("port: 0", "port: 0\nallow: []", "allow"),
        ("port: 0", "port: 0\nport: 1", "line 4: the key 'port' stands twice; found the other in line 3"),
        ("aet: ORTHANC", "aet: A, aet: B", "line 7: the key 'aet' stands twice"),
        ("aet: VESALIUS", "aet: 'A\\B'", r"AE title is of ASCII without backslash"),
        (
            "aet: ORTHANC",
            "aet: A TITLE OF MORE THAN SIXTEEN",
            "1 to 16 characters; found .*, [0-9]+ characters",
        ),
        ("aet: VESALIUS", "aet: 12", "aet must be a text; found 12; try: quotes"),
        ("host: 127.0.0.1", "host: 'http://pacs'", "pacs.host: no name or address of a host"),
        ("aet: ORTHANC", "aet: ORTHANC, tls: 'yes'", "pacs.tls must be true or false"),
        (PACS, "pacs: {dicomweb: pacs/web}", "pacs.dicomweb must be an address .*; try: http://pacs/web"),
        (
            PACS,
            "pacs: {dicomweb: 'http://x', aet: A}",
            "either dicomweb, or host, port and aet; found dicomweb, aet",
        ),
        (PACS, "pacs: {}", "a destination has host, port and aet, or dicomweb; found nothing"),
        (', orthanc: "http://127.0.0.1:8042"', "", "orthanc_login: a login for an Orthanc, and no orthanc:"),
        (
            PACS,
            f"{PACS}\n  b: {{host: 127.0.0.1, port: 4242, aet: ORTHANC}}",
            "b: the same as destination 'pacs'",
        ),
        ("port: 0", "port: 4242\nhost: 127.0.0.1", None),
        ("aet: VESALIUS\nport: 0", "aet: ORTHANC\nport: 4242", "pacs: this destination is the node itself"),
        ("destination: pacs", "destination: pasc", "no destination is called 'pasc'; try: closest: pacs"),
        ("modality: CT", "modalty: CT", "line 9: unknown key 'rules.0.modalty'; try: closest: modality"),
        ("modality: CT", "modality: [SEG]", "hold no images, and no rule takes them; found 'SEG'"),
        ("modality: CT", "modality: computed tomography", "no series can have that"),
        ("modality: CT", "modality: []", "modality must be 1 or more entries"),
        ("modality: CT", "series_description: ''", "must say something"),
        ("bundles/liver", "''", "rules.0.bundle: must say something"),
        (
            "modality: CT}",
            "modality: CT}\n  - {bundle: bundles/liver, destination: pacs, modality: CT}",
            "as rules.0",
        ),
        ("  - {aet: CT1,", "  - CT1\n  - {aet: CT1,", "allow.0 must be keys with their values; found 'CT1'"),
        ("10.1.2.0/24", "0.0.0.0/0", "that is every address there is"),
        ("  - {aet: CT1,", "  - {aet: CT1}\n  - {aet: CT1,", "with and without an address"),
        ("attempts: 1", "stable_s: true", "stable_s must be a number; found True"),
        ("attempts: 1", "keep_days: .inf", "must be a finite number"),
        (
            "attempts: 1",
            "queue: mysql://me:secret@x",
            "this is no address of a PostgreSQL database; found another address",
        ),
        ("attempts: 1", "attempts: [", "line 11: no YAML; found expected"),
        (GOOD, "", "holds no settings; found nothing"),
        (GOOD, "x: 2026-99-99", "no YAML; found month must be"),
    ],
)
def test_settings_that_would_do_something_else_than_they_say_are_refused_in_plain_words(
    path: Path, before: str, after: str, says: str | None
) -> None:
    assert before in GOOD
    path.write_text(GOOD.replace(before, after))
    if says is None:
        load(path)
        return
    with pytest.raises(PlanError, match=says) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(str(path)) and "\n" not in text
    assert not any(
        w in text for w in ("Value error", "Input should", "String should", "Extra inputs", "secret")
    )


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (PACS, 'pacs: {dicomweb: "http://127.0.0.1", login: nofile}', "pacs.login: no file at .*nofile"),
        (PACS, 'pacs: {dicomweb: "http://127.0.0.1", login: node.yaml}', "holds no login"),
        (PACS, 'pacs: {dicomweb: "http://127.0.0.1", ca: node.yaml}', "holds no certificates"),
        (PACS, 'pacs: {dicomweb: "http://127.0.0.1", ca: bundles}', "a folder, not a file"),
        ("attempts: 1", "tls: {cert: c.pem, key: k.pem}", "tls.cert: no file at .*c.pem"),
        ("bundles/liver", "bundles/livr", "rules.0.bundle: no bundle at .*livr; try: closest: .*liver"),
        ("port: 0", "port: 0\nhost: no such host.invalid", "host"),
    ],
)
def test_files_that_are_not_there_keep_a_node_from_starting_and_leave_nothing(
    path: Path, before: str, after: str, says: str
) -> None:
    (path.parent / "bundles" / "liver").mkdir(parents=True)
    (path.parent / "login").write_text("me:secret")
    path.write_text(GOOD.replace(before, after))
    done = CliRunner().invoke(app, ["serve", "--dicom", str(path)])
    assert isinstance(done.exception, PlanError) and re.search(says, str(done.exception)), done.exception
    assert not (path.parent / "store").exists()


def test_what_may_not_be_meant_is_said_at_the_start(path: Path) -> None:
    more = f"{PACS}\n  spare: {{dicomweb: 'http://nowhere.invalid'}}"
    path.write_text(GOOD.replace(PACS, more).replace("modality: CT", "modality: MRI"))
    unused, unknown, modality = likely_mistakes(load(path))
    assert "'spare' is in no rule" in unused and "no host 'nowhere.invalid'" in unknown
    assert "'MRI' is no modality of the standard; closest: MR" in modality


def test_a_node_that_is_told_to_stop_ends_regularly(path: Path, bundles: dict[str, Path]) -> None:
    (path.parent / "login").write_text("me:secret")
    path.write_text(GOOD.replace("bundles/liver", str(bundles["organs"])))
    words = [sys.executable, "-m", "vesalius", "serve", "--dicom", str(path)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "VESALIUS listens at 127.0.0.1:" in process.stderr.readline()
        assert said(str(path), "--status").endswith("the node runs")
        assert "in use by another node" in refused("--dicom", str(path))
        process.terminate()  # as systemd does; Ctrl-C is tried beside a real Orthanc
        assert process.wait(120) == 0 and process.stderr.read().endswith("stopped\n")


def test_one_thing_at_a_time_and_known_names(path: Path) -> None:
    done = CliRunner().invoke(app, ["serve", "--dicom", str(path), "--status", "--dead-letters"])
    assert isinstance(done.exception, VesaliusError) and "one thing" in str(done.exception)
    with pytest.raises(UnknownName, match="dead letter"):
        node.replay(load(path), "1.2.3")
    with node.opened_store(load(path)) as (_, queue):
        queue.add("1", "1.2", "1.2.1")
    with pytest.raises(DataError, match=r"series 1.2 is receiving; try: wait: it is tried by itself"):
        node.replay(load(path), "1.2")


def refused(*words: str) -> str:
    done = CliRunner().invoke(app, ["serve", *words])
    assert isinstance(done.exception, VesaliusError) and done.exception.exit_code == 2, done.output
    return str(done.exception)


def test_whom_to_pull_from_is_said_with_what_there_is(path: Path) -> None:
    asked = ("--dicom", str(path), "--pull", "1.2.3")
    assert refused(*asked) == (
        "the node does not run, and could not take what is sent to it; "
        "try: start it: vesalius serve --dicom SETTINGS"
    )
    assert "unknown destination 'elsewhere'; try: one of pacs" in refused(*asked, "--from", "elsewhere")
    assert "which study" in refused("--dicom", str(path), "--pull", "")
    assert "none is named; try: --pull STUDY --from pacs" in refused("--dicom", str(path), "--from", "pacs")
    assert "ask a DICOM node" in refused("bundle", "--from", "pacs")
    assert "--port is not for a DICOM node" in refused("--dicom", str(path), "--port", "1")
    two = f"{PACS}\n  b: {{host: 127.0.0.1, port: 1, aet: B}}\n  web: {{dicomweb: 'http://x/web'}}"
    path.write_text(GOOD.replace(PACS, two))
    assert refused(*asked) == "several destinations could be asked; found pacs, b; try: --from pacs"
    assert "'web' speaks DICOMweb" in refused(*asked, "--from", "web")
    path.write_text(GOOD.replace(PACS, "pacs: {dicomweb: 'http://x/web'}"))
    assert refused(*asked).endswith("found only DICOMweb: pacs; try: vesalius fetch")
