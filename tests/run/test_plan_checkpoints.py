"""The checkpoint of a plan's training: whoever takes a trial up goes on with the latest, whoever wrote it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vesalius.run.plan_scores import PlanScores

NAME = "trial-0003"


def scores(folder: Path) -> PlanScores:
    nothing: Any = None
    return PlanScores(begun=nothing, space=nothing, folder=folder, seconds=None)


def written(folder: Path, text: str, at: int) -> Path:
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    path = next(iter((folder / "checkpoints").glob("*")), folder / "checkpoints" / f"{NAME}-0.pt")
    path.write_text(text)
    os.utime(path, (at, at))
    return path


def test_the_latest_checkpoint_is_taken_over_and_no_other_is_left(tmp_path: Path) -> None:
    own, one, two = (tmp_path / str(k) for k in range(3))
    assert not scores(own).take_over(NAME, [one, two]) and not own.exists()
    first, second = written(one, "early", 100), written(two, "late", 200)
    assert scores(own).take_over(NAME, [one, two])
    (found,) = (own / "checkpoints").iterdir()
    assert found.read_text() == "late" and found.name == second.name
    assert not first.exists() and not second.exists()
    written(one, "earlier than its own", 150)
    assert not scores(own).take_over(NAME, [one, two])
    assert found.read_text() == "late" and not first.exists()
    written(one, "of another trial", 300).rename(one / "checkpoints" / "trial-0004-0.pt")
    assert not scores(own).take_over(NAME, [one]) and (one / "checkpoints" / "trial-0004-0.pt").exists()
    scores(own).forget(NAME)
    assert not found.exists()
