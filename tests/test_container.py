"""The image, the services beside it and the citation name what is there; nothing is built here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml
from typer.main import get_command

from vesalius.cli import app
from vesalius.core.version import VERSION
from vesalius.serve.node.settings import load

REPO = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((REPO / "compose.yaml").read_text(encoding="utf-8"))
MADE_BY_THE_USER = {"./bundles", "./deploy/keys.yaml"}  # as docs/container.md says


def test_the_image_is_made_of_files_that_are_there_and_sent() -> None:
    lines = (REPO / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if re.match(r"COPY (?!--)", line) for word in line.split()[1:-1]]
    assert {"constraints.txt", "pyproject.toml", "src", "package-lock.json"} <= set(copied)
    sent = (REPO / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert sent[1] == "*", "nothing is sent to the daemon that is not named"
    for path in copied:
        assert (REPO / path).exists() and f"!{path.split('/')[0]}" in sent, path
    installs = [line for line in lines if "pip install" in line]
    assert len(installs) == 2 and all("-c constraints.txt" in line for line in installs)
    assert installs[0].endswith(" torch"), "its pin decides which build the others are resolved against"


def test_the_services_mount_what_is_there() -> None:
    services = COMPOSE["services"]
    for service in services.values():
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            if source.startswith("./") and source not in MADE_BY_THE_USER:
                assert (REPO / source).is_file(), source
            elif not source.startswith("./"):
                assert source in COMPOSE["volumes"]
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), "published on this machine alone"
    assert {services[name]["image"] for name in ("node", "viewer")} == {f"vesalius:{VERSION}"}


def test_the_nodes_settings_are_sound_and_name_the_other_services() -> None:
    found = load(REPO / "deploy" / "node.yaml")
    orthanc = json.loads((REPO / "deploy" / "orthanc.json").read_text(encoding="utf-8"))
    (destination,) = found.destinations.values()
    assert (destination.host, destination.aet) == ("orthanc", orthanc["DicomAet"])
    assert destination.port == orthanc["DicomPort"] and "orthanc" in COMPOSE["services"]
    (modality,) = orthanc["DicomModalities"].values()
    assert (modality["AET"], modality["Port"]) == (found.aet, found.port) and modality["Host"] in COMPOSE[
        "services"
    ]
    subnet = COMPOSE["networks"]["clinic"]["ipam"]["config"][0]["subnet"]
    assert [peer.address for peer in found.peers] == [subnet], "nobody else may call"
    assert f'"{found.aet}"' in (REPO / "deploy" / "send.lua").read_text(encoding="utf-8"), (
        "what it made is not sent to it"
    )


def test_the_citation_is_of_this_version() -> None:
    cited = yaml.safe_load((REPO / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == VERSION and cited["license"] == "Apache-2.0"


def test_several_workers_share_one_queue_and_run_as_nobody_special() -> None:
    deploy = REPO / "deploy"
    compose = yaml.safe_load((deploy / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    workers = [one for name, one in services.items() if name.startswith("worker")]
    words = [dict(w.lstrip("-").split("=", 1) for w in one["command"] if "=" in w) for one in workers]
    assert len({w["queue"] for w in words}) == len({w["workdir"] for w in words}) == 1
    assert len({w["audit"] for w in words}) == len(workers) == 2, "each has a log of its own"
    for one in services.values():
        assert one["read_only"] and one["cap_drop"] == ["ALL"] and one["healthcheck"]
        for port in one.get("ports", ()):
            assert port.startswith("127.0.0.1:")
    rules = (deploy / "nginx.conf").read_text(encoding="utf-8")
    for name in services:
        assert not name.startswith("worker") or rules.count(f"server {name}:8080") == 2, name
    assert compose["networks"]["inside"]["internal"] is True
    listed = yaml.safe_load((deploy / "kubernetes" / "kustomization.yaml").read_text(encoding="utf-8"))
    there = {p.name for p in (deploy / "kubernetes").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(listed["resources"]) == there


def test_pods_are_those_of_the_image_and_keep_no_root() -> None:
    deploy = REPO / "deploy" / "kubernetes"
    found = yaml.safe_load((deploy / "deployment.yaml").read_text(encoding="utf-8"))
    pod = found["spec"]["template"]["spec"]
    (one,) = pod["containers"]
    assert one["image"] == f"vesalius:{VERSION}" and pod["securityContext"]["runAsUser"] == 10001
    assert "useradd --create-home --uid 10001" in (REPO / "Dockerfile").read_text(encoding="utf-8")
    assert one["securityContext"]["readOnlyRootFilesystem"] and pod["securityContext"]["runAsNonRoot"]
    options = {word.partition("=")[0] for word in one["args"] if word.startswith("--")}
    command = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    known = {name for parameter in command.params for name in parameter.opts}
    assert options <= known, "options that the service has"
