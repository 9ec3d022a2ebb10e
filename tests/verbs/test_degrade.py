"""Degrade: the same cases made worse, gone on with where it was, and refused where nothing could be told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius.core.case import Case
from vesalius.core.errors import DataError, OutputError, UnknownName
from vesalius.core.image import Image
from vesalius.core.scorecard import load_scorecard
from vesalius.prepare.degradations import degraded
from vesalius.run.degrading import Level, worse

NOISE: dict[str, list[float]] = {"noise": [5, 60]}


def test_each_case_has_noise_of_its_own_that_is_the_same_again() -> None:
    image = Image(np.random.default_rng(0).random((1, 1, 16, 16)))
    made = [worse(Case(name, {"image": image}), Level("noise", 10.0), seed=0) for name in ("a", "a", "b")]
    a, again, b = (m.images["image"].array for m in made)  # type: ignore[union-attr]
    assert np.array_equal(a, again) and not np.array_equal(a, b)
    assert worse(Case("a", {"image": image}), Level(), seed=0).images["image"] is image
    with pytest.raises(DataError, match="no image that could be made worse"):
        worse(Case("a", {}), Level("noise", 10.0), seed=0)


def test_a_bundle_is_scored_on_the_same_cases_made_worse(pictures: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = vs.degrade(
        pictures.run, pictures.data, out, by=NOISE, split="all", resamples=50, metric="accuracy"
    )
    (curve,) = found.curves
    assert curve.unit == "% of the image's reach" and [s.amount for s in curve.steps] == [5, 60]
    cards = {p.parent.name: load_scorecard(p) for p in out.glob("cells/*/scorecard.json")}
    assert set(cards) == {"clean", "noise-5", "noise-60"}
    ids = [[c["case"] for c in card.cases] for card in cards.values()]
    assert ids[0] == ids[1] == ids[2] and found.n_cases == len(ids[0])
    assert curve.steps[1].figure == cards["noise-60"].metrics["accuracy"]
    change = curve.steps[1].change
    assert (
        change is not None
        and change.first == curve.clean.value
        and change.second == curve.steps[1].figure.value
    )
    page = (out / "degrade.html").read_text(encoding="utf-8")
    assert "noise: % of the image" in page and "<script src" not in page
    before = {p: p.stat().st_mtime_ns for p in out.glob("cells/*/result.json")}
    again = vs.degrade(
        pictures.run,
        pictures.data,
        out,
        by=NOISE | {"blur": [2.0]},
        split="all",
        resamples=50,
        metric="accuracy",
    )
    assert again.curves[0] == curve and len(again.curves) == 2
    assert all(p.stat().st_mtime_ns == t for p, t in before.items())  # what was there was not scored again
    assert json.loads((out / "degrade.json").read_text())["curves"][1]["degradation"] == "blur"
    with pytest.raises(OutputError, match="another seed"):
        vs.degrade(pictures.run, pictures.data, out, by=NOISE, split="all", seed=1)


def test_the_answers_are_those_to_files_that_were_made_worse(pictures: Any, tmp_path: Path) -> None:
    """One case, degraded by hand and answered, has the probabilities that the scorecard keeps of it."""
    from vesalius.core.seeds import seed_of
    from vesalius.prepare.case import load_reference

    out = tmp_path / "out"
    vs.degrade(
        pictures.run, pictures.data, out, by={"contrast": [50]}, split="all", resamples=50, metric="accuracy"
    )
    card = load_scorecard(out / "cells" / "contrast-50" / "scorecard.json")
    case = next(c for c in vs.read(pictures.data).cases if c.id == card.cases[0]["case"])
    made = degraded(load_reference(case), "contrast", 50.0, seed=seed_of(0, "contrast", case.id, "image"))
    answer: Any = vs.predict(pictures.run, Case(case.id, {"image": made}))
    assert list(card.cases[0]["p"].values()) == pytest.approx(answer.p.tolist(), abs=1e-6)


def test_what_cannot_be_told_is_left_out_or_refused(pictures: Any, tmp_path: Path) -> None:
    how: dict[str, Any] = {"split": "all", "resamples": 50}
    with pytest.raises(UnknownName, match="unknown figure"):
        vs.degrade(pictures.run, pictures.data, tmp_path / "a", by=NOISE, metric="dice", **how)
    with pytest.raises(DataError, match="volume alone"):
        vs.degrade(pictures.run, pictures.data, tmp_path / "b", by=["slices"], **how)
    assert not (tmp_path / "b").exists()
    with pytest.raises(vs.PlanError, match="makes no image of an image"):
        vs.degrade(pictures.run, pictures.data, tmp_path / "c", by=NOISE, restore=pictures.run, **how)
    assert not (tmp_path / "c").exists()


def test_an_amount_that_fails_is_said_and_the_others_are_measured(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vesalius.prepare.degradations import dose

    monkeypatch.setattr(dose, "own_noise", lambda channel: 0.0)
    found = vs.degrade(
        pictures.run,
        pictures.data,
        tmp_path / "out",
        by={"dose": [50], "noise": [5]},
        split="all",
        resamples=50,
    )
    first, second = found.curves[0], next(c for c in found.curves if c.degradation == "noise")
    assert first.steps[0].figure is None and "no noise of its own" in first.steps[0].reason
    assert second.steps[0].figure is not None and any("dose-50" in note for note in found.notes)
