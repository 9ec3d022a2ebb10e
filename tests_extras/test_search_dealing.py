"""Trials that are handed to workers elsewhere: the same search as local ones make, whoever dies and whatever fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests_extras.test_search_store import quick, store, worker

from vesalius.core.errors import ClusterError
from vesalius.core.progress import Silent
from vesalius.search.dealing import Dealer, Died, Event, Looked, Measured
from vesalius.search.store import DEFAULT, DONE, FAILED, PRUNED, RUNNING, Store

pytest.importorskip("optuna")


class Hands:
    """Workers of a test: each measures at once, with looks where `looks` says so; `dies` and `fails` name trials."""

    def __init__(
        self, many: int, *, looks: int = 0, dies: Sequence[str] = (), fails: Sequence[str] = ()
    ) -> None:
        self.many, self.looks, self.dies, self.fails = many, looks, list(dies), list(fails)
        self.work: dict[int, tuple[Mapping[str, Any], str, int]] = {}
        self.answers: dict[int, bool] = {}
        self.begun: list[tuple[int, str]] = []

    def begin(self, worker: int, settings: Mapping[str, Any], name: str) -> None:
        assert worker not in self.work
        self.begun.append((worker, name))
        self.work[worker] = settings, name, 0

    def answer(self, worker: int, *, ended: bool) -> None:
        self.answers[worker] = ended

    def wait(self, seconds: float) -> Sequence[Event]:
        worker = next(iter(self.work))
        settings, name, look = self.work.pop(worker)
        if name in self.dies:
            self.dies.remove(name)
            return [Died(worker, "killed")]
        if name in self.fails:
            return [Measured(worker, reason="no such net")]
        result = quick(settings, name, lambda *_: None)
        if self.answers.pop(worker, False):
            return [Measured(worker, look=look)]
        if look < self.looks:
            self.work[worker] = settings, name, look + 1
            return [Looked(worker, look + 1, result["score"])]
        return [Measured(worker, result)]


def deal(shared: Store, hands: Hands) -> Dealer:
    found = Dealer(store=shared, elsewhere=hands, progress=Silent())
    found.work()
    return found


def told(shared: Store) -> list[Any]:
    return [(t.number, t.state, dict(t.settings), t.score) for t in shared.all()]


@pytest.mark.parametrize(("sampler", "looks"), [("random", 0), ("hyperband", 9)])
def test_one_worker_elsewhere_makes_the_search_that_one_here_makes(
    tmp_path: Path, sampler: str, looks: int
) -> None:
    def looked(settings: Mapping[str, Any], name: str, look: Any) -> dict[str, Any]:
        found = quick(settings, name, look)
        for k in range(1, looks + 1):
            look(k, found["score"])
        return found

    here, far = store(tmp_path / "here", 14, sampler), store(tmp_path / "far", 14, sampler)
    worker(here, looked).work()
    deal(far, Hands(1, looks=looks))
    assert told(far) == told(here)
    assert {t.state for t in far.all()} == ({DONE, PRUNED} if looks else {DONE})


def test_a_trial_whose_worker_dies_is_taken_up_again_and_given_up_after_two(tmp_path: Path) -> None:
    shared = store(tmp_path, 4)
    hands = Hands(2, dies=["trial-0001", "trial-0002", "trial-0002"])
    deal(shared, hands)
    states = [t.state for t in shared.all()]
    assert states == [DONE, DONE, FAILED, DONE] and "memory may have run out" in shared.all()[2].reason
    assert [name for _, name in hands.begun].count("trial-0001") == 2


def test_it_is_the_same_search_where_a_worker_died(tmp_path: Path) -> None:
    one, two = store(tmp_path / "a", 6), store(tmp_path / "b", 6)
    deal(one, Hands(1))
    deal(two, Hands(1, dies=["trial-0003", "trial-0005"]))
    assert told(one) == told(two)


def test_the_default_plan_whose_workers_die_ends_the_search_and_not_the_patience(tmp_path: Path) -> None:
    shared = store(tmp_path, 4)
    deal(shared, Hands(1, dies=["trial-0000"] * 99))
    assert [t.state for t in shared.all()] == [FAILED] and "died 2 times" in shared.all()[DEFAULT].reason


def test_workers_that_all_die_are_said(tmp_path: Path) -> None:
    shared = store(tmp_path, 4)
    dies = [f"trial-{k:04d}" for k in range(1, 4) for _ in range(2)]
    with pytest.raises(ClusterError, match="3 in a row, the last: killed"):
        deal(shared, Hands(1, dies=dies))
    assert RUNNING in {t.state for t in shared.all()}  # and the same command goes on
    deal(shared, Hands(1))
    assert shared.all()[DEFAULT].state == DONE and len(shared.all()) == 4


def test_a_trial_that_fails_says_why(tmp_path: Path) -> None:
    shared = store(tmp_path, 3)
    deal(shared, Hands(1, fails=["trial-0001"]))
    assert [(t.state, t.reason) for t in shared.all()][1] == (FAILED, "no such net")


def test_ctrl_c_leaves_what_is_under_way_as_it_is(tmp_path: Path) -> None:
    shared = store(tmp_path, 3)

    class Stopped(Hands):
        def wait(self, seconds: float) -> Sequence[Event]:
            raise KeyboardInterrupt

    for _ in range(4):  # more often than a trial may end its worker
        with pytest.raises(KeyboardInterrupt):
            deal(shared, Stopped(2))
    deal(shared, Hands(2))
    assert {t.state for t in shared.all()} == {DONE}
