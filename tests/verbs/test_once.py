"""A fit computes nothing twice: a case is prepared once, and a task's state learned once, for each stage."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import vesalius as vs
from vesalius.core.errors import OutputError, PlanError
from vesalius.learn import examples
from vesalius.run.begin import Asked, begin, reopen
from vesalius.tasks.classify import Classify
from vesalius.tasks.segment import Segment

QUICK = {"net.scale": 0.125, "train.threads": 1, "train.steps": 2, "train.validations": 1, "train.members": 1}


class Counts:
    """How often each case is prepared, and each task's state learned."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.prepared: Counter[str] = Counter()
        self.states = 0
        load = examples.load_reference  # called once for each case that is prepared to be learned from

        def counting(case: Any, *args: Any, **kwargs: Any) -> Any:
            self.prepared[case.id] += 1
            return load(case, *args, **kwargs)

        monkeypatch.setattr(examples, "load_reference", counting)
        for task in (Classify, Segment):
            monkeypatch.setattr(task, "state", self._counted(task.state))

    def _counted(self, state: Any) -> Any:
        def counting(*args: Any, **kwargs: Any) -> Any:
            self.states += 1
            return state(*args, **kwargs)

        return counting


def test_a_case_is_prepared_once_and_the_state_is_learned_once(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = Counts(monkeypatch)
    vs.fit(pictures.data, tmp_path / "run", settings=QUICK | {"data.size": [1, 32, 32]}, init=pictures.path)
    assert set(counts.prepared.values()) == {1} and len(counts.prepared) >= 8
    assert counts.states == 1


def test_of_two_stages_each_has_its_own(
    volumes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = Counts(monkeypatch)
    settings = QUICK | {"data.size": [16, 32, 32], "train.batch": 1, "locate.margin_mm": 8}
    run = vs.fit(volumes.data, tmp_path / "run", target="mask", settings=settings)
    assert run.bundle is not None and [s.name for s in run.bundle.stages] == ["locate", "segment"]
    assert counts.states == 2, "one a stage"
    assert set(counts.prepared.values()) == {3}, (
        "to be timed whole, for the coarse look, and cut for the fine one"
    )


def test_a_resumed_run_is_the_same_record_as_one_that_begins(pictures: Any, tmp_path: Path) -> None:
    asked = {"data": pictures.data, "began": 0.0}
    fresh = begin(Asked(**asked, out=tmp_path / "run", time_limit="90s", seed=5))
    assert (fresh.path, fresh.follows, fresh.finished, fresh.limit_s, fresh.seed) == (
        None,
        False,
        None,
        90.0,
        5,
    )
    again = reopen(Asked(**asked, out=pictures.path))
    assert type(again) is type(fresh) and again.follows and again.finished == pictures.path
    assert again.given is not None and again.given.train.seed == again.seed == 3
    assert again.assignment is not None and again.limit_s is None
    with pytest.raises(PlanError, match="follows its own plan"):
        reopen(Asked(**asked, out=pictures.path, plan=pictures.path / "plan.json"))
    with pytest.raises(OutputError, match="nothing is overwritten"):
        begin(Asked(**asked, out=pictures.path))
