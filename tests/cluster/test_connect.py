"""What a cluster must have for so many workers, and what is said where Ray is not installed or refuses."""

from __future__ import annotations

import builtins
import socket
from pathlib import Path
from typing import Any

import pytest

import vesalius as vs
from vesalius.cluster import library, probe
from vesalius.cluster.connect import Cluster, Share, _assert_answers, _joined, _refused, shared
from vesalius.cluster.probe import Site, _assert_one
from vesalius.core.cluster_address import ClusterAddress
from vesalius.core.errors import BudgetError, ClusterError, MissingExtra, UsageError

HEAD = ClusterAddress("head")


def cluster(cpus: int, gpus: int = 0, nodes: int = 1) -> Cluster:
    return Cluster(HEAD, cpus, gpus, tuple(map(str, range(nodes))))


def test_each_worker_has_an_equal_share() -> None:
    assert shared(cluster(8), 3, option="--workers", device=None) == Share(3, 2, 0)
    assert shared(cluster(8, 2), 2, option="--workers", device=None) == Share(2, 4, 1)
    assert shared(cluster(8, 2), 4, option="--workers", device="cpu") == Share(4, 2, 0)


@pytest.mark.parametrize(
    ("has", "workers", "device", "word"),
    [
        ((2, 0, 1), 3, None, r"--workers 3 needs 3 CPUs.*2 CPUs and 0 GPUs on 1 machine; try: --workers 2"),
        (
            (8, 1, 2),
            2,
            None,
            r"needs 2 GPUs.*8 CPUs and 1 GPU on 2 machines; try: --workers 1, or --device cpu",
        ),
        ((8, 0, 1), 1, "cuda", "needs 1 GPU"),
    ],
)
def test_a_cluster_with_too_little_says_what_was_asked_and_what_there_is(
    has: tuple[int, int, int], workers: int, device: str | None, word: str
) -> None:
    with pytest.raises(BudgetError, match=word):
        shared(cluster(*has), workers, option="--workers", device=device)


def test_nobody_answers() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]  # taken, and nobody listens
        with pytest.raises(
            ClusterError, match=f"no cluster answers at ray://127.0.0.1:{port}; found .*refused"
        ):
            _assert_answers(ClusterAddress("127.0.0.1", port))


def test_what_ray_says_on_a_page_is_a_line() -> None:
    page = "Version mismatch: The cluster was started with:\n    Ray: 2.50.0\n    Python: 3.12.1\nThis process on node "
    page += "10.0.0.2 was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
    told = str(_refused(HEAD, page))
    assert (
        "another version of Ray or Python" in told
        and "2.50.0" in told
        and "2.60.0" in told
        and "\n" not in told
    )
    told = str(_refused(HEAD, "Can't find a raylet on this machine"))
    assert "cannot join the cluster at ray://head:6379" in told and "ray start --address=head:6379" in told


@pytest.mark.parametrize(
    ("mode", "word", "never"),
    [
        (None, "RAY_AUTH_MODE=token here", "must be the cluster's"),
        ("disabled", "RAY_AUTH_MODE=token here", "must be the cluster's"),
        ("token", "its token here must be the cluster's", "RAY_AUTH_MODE"),
    ],
)
def test_a_token_that_may_be_wanting_is_named_as_ray_does_not(
    mode: str | None, word: str, never: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    if mode is not None:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    told = str(_refused(HEAD, "Failed to connect to Ray cluster at 10.0.0.2:6379"))
    assert word in told and never not in told and "disabled" not in told
    assert "ray start" not in str(
        _refused(ClusterAddress(), "no room")
    )  # one that is begun here is not joined


def test_no_token_at_all_is_a_line() -> None:
    class Refusing:
        """Ray, as it is where it shall show a token and finds none."""

        class exceptions:  # noqa: N801 - as Ray calls it
            class AuthenticationError(Exception): ...

        def init(self, **_: Any) -> None:
            raise self.exceptions.AuthenticationError("no token was found. Ensure that\nit is there")

    with pytest.raises(
        ClusterError,
        match="no token to show to the cluster at ray://head:6379; found no token was found; try: copy",
    ):
        _joined(Refusing(), HEAD, "head:6379", {})


def test_other_code_or_a_folder_that_is_not_shared_is_said_with_the_machine() -> None:
    here = Site("a", "0.1.0", "abc", "2.13.0", "3.11.7")
    _assert_one(Site("b", "0.1.0", "abc", "2.14.0", "3.11.7"), here)
    with pytest.raises(
        ClusterError, match=r"b has another vesalius.*0\.1\.0 \(def\) there, 0\.1\.0 \(abc\) here"
    ):
        _assert_one(Site("b", "0.1.0", "def", "2.13.0", "3.11.7"), here)
    with pytest.raises(ClusterError, match="/data is not there on b"):
        _assert_one(Site("b", "0.1.0", "abc", "2.13.0", "3.11.7", (("/data", "is not there"),)), here)


def test_a_machine_looks_for_data_and_for_the_very_folder(tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    out.mkdir()
    other.mkdir()
    (out / ".mark").touch()
    found = probe.site([str(tmp_path), str(tmp_path / "none")], [(str(out), ".mark"), (str(other), ".mark")])
    assert dict(found.wrong) == {
        str(tmp_path / "none"): "is not there",
        str(other): "is another folder of that name",
    }
    assert sorted(p.name for p in out.iterdir()) == [".mark"]  # nothing is left behind
    assert found.code == probe.code() and len(found.code) == 12


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def none(name: str, *args: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "ray":
            raise ImportError(name)
        return found(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", none)
    with pytest.raises(MissingExtra, match=r"'ray' is not installed; try: pip install 'vesalius\[cluster\]'"):
        library.library()


def test_an_address_that_is_none_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes the address of a Ray cluster"):
        vs.search(tmp_path / "none", tmp_path / "out", cluster="localhost:6379")
    assert not (tmp_path / "out").exists()
