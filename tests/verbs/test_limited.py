"""Verbs inside limits: what is finished is kept, what cannot be in time is refused, and a fit plans for it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import vesalius as vs
from _patience import until
from vesalius.core.progress import Silent
from vesalius.core.scorecard import load_scorecard
from vesalius.run.limits import ahead
from vesalius.run.limits.watch import current


class After(Silent):
    """Progress that puts the clock of the limits forward once so many cases are done."""

    def __init__(self, cases: int) -> None:
        self.left = cases

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        """Count, and wait for the end."""
        self.left -= name == "predict"
        watch = current()
        if self.left == 0 and watch is not None:
            watch.began -= 1000.0
            until(lambda: False)


def test_what_is_answered_until_then_is_kept_and_gone_on_with(pictures: Any, tmp_path: Path) -> None:
    said = r"time limit of 60 s was reached; \d+ of 12 answers are kept; .* used; try: vesalius predict .* --resume"
    with pytest.raises(vs.LimitReached, match=said), vs.limits("1m"):
        vs.predict(pictures.run, pictures.data, tmp_path / "out", progress=After(3))
    with (tmp_path / "out" / "answers.partial.csv").open() as file:
        kept = [row["case"] for row in csv.DictReader(file)]
    assert 2 <= len(kept) < 12
    done = vs.predict(pictures.run, pictures.data, tmp_path / "out", resume=True, progress=False)
    whole = vs.predict(pictures.run, pictures.data, tmp_path / "whole", progress=False)
    assert set(kept) < set(done.answered) and set(done.answered) == set(whole.answered)


def test_what_is_of_use_only_when_all_is_done_is_refused_early(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(ahead, "time", clock)

    class Slow(Silent):
        def advance(self, name: str, done: int = 1, text: str = "") -> None:
            clock.now += 600.0 if name == "predict" else 0.0

    said = r"time limit of 900 s is too short.*try: --time-limit \d+h"
    with pytest.raises(vs.BudgetError, match=said) as found, vs.limits("15m"):
        vs.evaluate(pictures.run, pictures.data, tmp_path / "out", split="train", progress=Slow())
    assert not isinstance(found.value, vs.LimitReached) and not (tmp_path / "out").exists()


def test_a_scorecard_says_what_its_figures_took(pictures: Any, tmp_path: Path) -> None:
    card = pictures.run.scorecard
    assert set(card.energy) == {"training", "scoring"}
    assert all(t["joules"] > 0 and t["how"] in ("measured", "estimated") for t in card.energy.values())
    told = load_scorecard(pictures.path / "scorecard.json")
    assert told.energy == card.energy
    sealed = json.loads((pictures.path / "bundle" / "scorecard.json").read_text())
    assert sealed["energy"] == {}, "a bundle is the same whatever it took"
    assert "energy of" not in (pictures.path / "bundle" / "card.md").read_text()
    assert "energy of training" in (pictures.path / "card.md").read_text()
    assert "energy of training" in (pictures.path / "report.html").read_text()
    with vs.limits(price_kwh=0.5):
        found = vs.evaluate(pictures.run, pictures.data, tmp_path / "out", progress=False)
    taken = found.energy["answering"]
    assert taken["price"] == pytest.approx(taken["joules"] / 3.6e6 * 0.5) and set(found.energy) == {
        "answering"
    }
    assert found == vs.evaluate(pictures.run, pictures.data, progress=False), "the figures are the same"


def test_a_fit_inside_plans_for_what_is_left(pictures: Any, tmp_path: Path) -> None:
    """A limit that is all but over is refused as fit's own is, before anything is trained."""
    with (
        pytest.raises(vs.BudgetError, match="the time limit is too short") as found,
        vs.limits("1h") as watch,
    ):
        watch.began -= 3599.0
        vs.fit(pictures.data, tmp_path / "run", progress=False, settings={"net.scale": 0.125})
    assert not isinstance(found.value, vs.LimitReached) and watch.planned
