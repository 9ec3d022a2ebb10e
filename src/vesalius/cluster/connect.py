"""A connection to a Ray cluster: to one that is there, or to one that is started on this machine and stopped again."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from vesalius.cluster.library import library
from vesalius.core.cluster_address import ClusterAddress
from vesalius.core.errors import BudgetError, ClusterError
from vesalius.core.words import counted
from vesalius.plan import machine

ANSWER_S = 5.0  # that a head may take to take up a connection
STORE = 256 * 2**20  # bytes of a local cluster's object store: what passes through it are words, not pixels
NAMESPACE = "vesalius"
MODE, TOKEN = (
    "RAY_AUTH_MODE",
    "token",
)  # Ray's own switch, and what it says where machines show each other a token


@dataclass(frozen=True, eq=False)
class Cluster:
    """A cluster that this process is connected to, and the machines that it has, by the ids of their nodes."""

    address: ClusterAddress
    cpus: int
    gpus: int
    nodes: tuple[str, ...]

    def __str__(self) -> str:
        has = f"{counted(self.cpus, 'CPU')} and {counted(self.gpus, 'GPU')} on {counted(len(self.nodes), 'machine')}"
        return f"{self.address} with {has}"


@contextmanager
def connected(address: ClusterAddress) -> Iterator[Cluster]:
    """Connect to a cluster inside this block; one that was started here is stopped at its end, whatever ended it.

    A connection that this process has already is used as it is, and kept.

    Raises MissingExtra, and ClusterError where none answers, or one of another version of Ray or Python.
    """
    ray = library()
    if ray.is_initialized():
        _assert_same(ray, address)
        yield _seen(ray, address)
        return
    _begin(ray, address)
    try:
        yield _seen(ray, address)
    finally:
        ray.shutdown()


def _begin(ray: Any, address: ClusterAddress) -> None:
    quiet = {"logging_level": logging.CRITICAL, "log_to_driver": False, "configure_logging": False}
    if address.host is None:
        # `address` keeps RAY_ADDRESS from leading somewhere else
        own = {"num_cpus": machine.measure().cores, "object_store_memory": STORE, "include_dashboard": False}
        _joined(ray, address, "local", {**own, **quiet})
        return
    _assert_answers(address)
    _joined(ray, address, str(address).removeprefix("ray://"), quiet)


def _joined(ray: Any, address: ClusterAddress, where: str, how: dict[str, Any]) -> None:
    """Begin or join it. Raises ClusterError where Ray refuses."""
    try:
        ray.init(address=where, namespace=NAMESPACE, **how)
    except ray.exceptions.AuthenticationError as error:
        raise _untold(address, str(error)) from error
    except (ConnectionError, RuntimeError, ValueError, OSError, TimeoutError) as error:
        raise _refused(address, str(error)) from error


def _assert_answers(address: ClusterAddress) -> None:
    """Raise ClusterError at once where nothing listens, which Ray finds out after a minute."""
    try:
        with socket.create_connection((address.host, address.port), timeout=ANSWER_S):
            return
    except OSError as error:
        raise ClusterError(
            f"no cluster answers at {address}",
            found=error.strerror or str(error),
            hint="the address that `ray start --head` said; is a firewall between?",
        ) from error


def _refused(address: ClusterAddress, said: str) -> ClusterError:
    """Return why Ray could not be begun, or connected to, in a line of ours."""
    if address.host is None:
        return ClusterError("Ray cannot be started on this machine", found=" ".join(said.split())[:200])
    if "ersion mismatch" in said or "was started with" in said:
        words = " ".join(line.strip() for line in said.splitlines() if "Ray:" in line or "Python:" in line)
        return ClusterError(
            f"the cluster at {address} has another version of Ray or Python than this process",
            found=words or said[:200],
            hint="the same versions on all machines: constraints.txt pins what was tested",
        )
    head = str(address).removeprefix("ray://")
    return ClusterError(
        f"this process cannot join the cluster at {address}",
        found=" ".join(said.split())[:200],
        hint=f"`ray start --address={head}` on this machine first, which must belong to it; {_token_hint()}",
    )


def _token_hint() -> str:
    """Return what to do where a cluster asks for a token, which Ray does not tell from one that is not there.

    `ray start --head` asks for one as soon as a token lies on its machine, where `ray://local` leaves one; a process
    that joins by an address shows its token only where it is told to.
    """
    if os.environ.get(MODE, "").lower() == TOKEN:
        return "its token here must be the cluster's: the same file ~/.ray/auth_token on all machines"
    return f"or {MODE}={TOKEN} here, where `ray start` said that a token is asked for"


def _untold(address: ClusterAddress, said: str) -> ClusterError:
    """Return that no token is here, where one is to be shown."""
    return ClusterError(
        f"there is no token to show to the cluster at {address}",
        found=said.partition(". ")[0][:200],
        hint="copy the file ~/.ray/auth_token of the cluster's head to this machine",
    )


def _assert_same(ray: Any, address: ClusterAddress) -> None:
    """Raise ClusterError where this process is connected to another cluster than the one that is asked for."""
    there = str(ray.get_runtime_context().gcs_address)
    if address.host is not None and there != str(address).removeprefix("ray://"):
        raise ClusterError(
            f"this process is connected to another cluster than {address}",
            found=f"ray://{there}",
            hint="ray.shutdown(), or the address of that one",
        )


def _seen(ray: Any, address: ClusterAddress) -> Cluster:
    has = ray.cluster_resources()
    nodes = tuple(node["NodeID"] for node in ray.nodes() if node["Alive"])
    return Cluster(address, int(has.get("CPU", 0)), int(has.get("GPU", 0)), nodes)


@dataclass(frozen=True)
class Share:
    """What each of some workers has to itself: CPUs, which are its threads too, and GPUs."""

    workers: int
    cpus: int
    gpus: int


def shared(cluster: Cluster, workers: int, *, option: str, device: str | None) -> Share:
    """Return what each of so many workers gets: an equal share of the CPUs, and a GPU where the cluster has any.

    Raises BudgetError where there is less than that for each; `option` is what they were asked for by.
    """
    if workers > cluster.cpus:
        raise BudgetError(
            f"{option} {workers} needs {counted(workers, 'CPU')}, one for each",
            found=str(cluster),
            hint=f"{option} {max(1, cluster.cpus)}, or more machines: `ray start --address=…` there",
        )
    wants = (device or "").startswith("cuda") or (device is None and cluster.gpus > 0)
    if wants and workers > cluster.gpus:
        raise BudgetError(
            f"{option} {workers} needs {counted(workers, 'GPU')}, one for each",
            found=str(cluster),
            hint=f"{option} {cluster.gpus}, or --device cpu" if cluster.gpus else "--device cpu",
        )
    return Share(workers, cluster.cpus // workers, int(wants))
