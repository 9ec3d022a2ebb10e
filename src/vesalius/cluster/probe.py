"""Whether every machine of a cluster can do the work: the same code, and the same folders at the same paths."""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vesalius.cluster.connect import Cluster
from vesalius.cluster.library import library
from vesalius.core.disk import output_errors
from vesalius.core.errors import ClusterError
from vesalius.core.progress import Progress
from vesalius.core.version import VERSION

WAIT_S = 120.0  # for a machine to start a worker and look
MARK = ".cluster-"  # how a mark is called that this process leaves in a folder while others look for it


@dataclass(frozen=True)
class Site:
    """What one machine says of itself: its name, its code, and what is wrong there, by path."""

    host: str
    version: str
    code: str
    torch: str
    python: str
    wrong: tuple[tuple[str, str], ...] = ()


@cache
def code() -> str:
    """Return a hash of the source files of this package, in which two installations of one version may differ."""
    root = Path(__file__).resolve().parent.parent
    seen = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        seen.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return seen.hexdigest()[:12]


def site(read: Sequence[str] = (), written: Sequence[tuple[str, str]] = ()) -> Site:
    """Return what is here: `read` are paths that must be there, `written` folders with the mark that each must hold."""
    wrong = [(path, why) for path in read if (why := _unread(path))]
    wrong += [(folder, why) for folder, mark in written if (why := _unwritten(folder, mark))]
    host, python = socket.gethostname(), platform.python_version()
    return Site(host, VERSION, code(), version("torch"), python, tuple(wrong))


def _unread(path: str) -> str | None:
    place = Path(path)
    if not place.exists():
        return "is not there"
    return None if os.access(place, os.R_OK) else "cannot be read"


def _unwritten(folder: str, mark: str) -> str | None:
    place = Path(folder)
    if not place.is_dir():
        return "is not there"
    if not (place / mark).is_file():
        return "is another folder of that name"
    own = place / f"{mark}-{socket.gethostname()}-{os.getpid()}"
    try:
        own.touch()
        own.unlink()
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    return None


def assert_alike(
    cluster: Cluster, *, read: Sequence[Path], written: Sequence[Path], progress: Progress
) -> None:
    """Raise ClusterError where a machine of the cluster has other code, or lacks a folder at the same path.

    Folders in `written` are made here where they are not there, and must be the same ones everywhere.
    """
    marks = [(str(folder.resolve()), MARK + secrets.token_hex(4)) for folder in written]
    for folder, mark in marks:
        with output_errors(Path(folder)):
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / mark).touch()
    try:
        sites = _sites(cluster, [str(path.resolve()) for path in read], marks)
    finally:
        for folder, mark in marks:
            (Path(folder) / mark).unlink(missing_ok=True)
    here = site()
    for one in sites:
        _assert_one(one, here)
    others = sorted({one.torch for one in sites} - {here.torch})
    if others:
        progress.note(
            f"machines of the cluster have torch {', '.join(others)}, this one {here.torch}: numbers differ"
        )


def _assert_one(one: Site, here: Site) -> None:
    if one.version != here.version or one.code != here.code:
        raise ClusterError(
            f"{one.host} has another vesalius than this machine",
            found=f"{one.version} ({one.code}) there, {here.version} ({here.code}) here",
            hint="install the same on all machines",
        )
    for path, why in one.wrong:
        raise ClusterError(
            f"{path} {why} on {one.host}",
            hint="a folder that all machines of the cluster share, at the same path",
        )


def _sites(cluster: Cluster, read: list[str], written: list[tuple[str, str]]) -> list[Site]:
    """Return what each machine says. Raises ClusterError for one that does not answer, or cannot import this."""
    ray = library()
    look = ray.remote(site)
    affine = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    refs = {
        look.options(num_cpus=0, scheduling_strategy=affine(node, soft=False)).remote(read, written): node
        for node in cluster.nodes
    }
    _, slow = ray.wait(list(refs), num_returns=len(refs), timeout=WAIT_S)
    if slow:
        host = _host(ray, refs[slow[0]])
        raise ClusterError(
            f"{host} does not answer", found=f"nothing in {WAIT_S:.0f} s", hint="`ray status` there"
        )
    found: list[Site] = []
    for ref, node in refs.items():
        try:
            found.append(ray.get(ref))
        except ray.exceptions.RayError as error:
            said = str(error).strip().splitlines()[-1]
            raise ClusterError(
                f"{_host(ray, node)} cannot run vesalius",
                found=said[:200],
                hint="install the same on all machines",
            ) from error
    return found


def _host(ray: Any, node: str) -> str:
    return next((str(n["NodeManagerHostname"]) for n in ray.nodes() if n["NodeID"] == node), node)
