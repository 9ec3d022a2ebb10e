"""What clients are told of how good a model is: its own figures alone, with the data that they were measured on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from _bundles import scored, segmenter

from vesalius.core.scorecard import Interval, Scorecard
from vesalius.serve.http import schemas
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.measured import measured

FIGURE, TRIVIAL = Interval(0.9, 0.8, 0.95, 12), Interval(0.1, 0.0, 0.2, 12)
CARD = Scorecard(
    "Mask",
    "test",
    9,
    12,
    True,
    "d" * 64,
    "",
    {"jaccard": FIGURE, "dice": FIGURE, "dice/liver": FIGURE},
    {"dice": TRIVIAL},
    "no mask",
)


def test_a_figure_stands_beside_the_trivial_answer_and_names_its_data(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    bundle = scored(segmenter(tmp_path / "organs"), CARD)
    model = Catalogue([bundle.path], ["cpu"]).get("organs")
    about = model.about
    torch.set_num_threads(threads)
    row = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 12}
    assert about["scorecard"]["dice"] == row | {"called": "Dice", "baseline": 0.1, "standing": "beaten"}
    assert about["scorecard"]["dice/liver"] == row | {"called": "Dice", "baseline": None, "standing": None}
    assert about["headlines"] == ["dice"]  # a mask's, in their order; what a kind does not name comes after
    assert about["baseline_is"] == "no mask" and about["banners"] == []
    of = {"split": "test", "cases": 12, "patients": 9, "data": "d" * 64}
    assert about["measured_on"] == of | {"learned_from_it": False, "same_data": True}
    body = model.body()
    assert schemas.ModelBody.model_validate(body).model_dump()["measured_on"] == about["measured_on"]
    assert body["drift"]["known"] is False and body["banners"] == []  # said, not guessed


def told(tmp_path: Path, card: Scorecard, *, of: str | None = None) -> dict[str, Any]:
    return measured(scored(segmenter(tmp_path / "organs"), card, of=of), "Mask")


def test_a_card_of_training_cases_and_of_other_data_says_so(tmp_path: Path) -> None:
    found = told(tmp_path, replace(CARD, split="training", data_hash="e" * 64, patients_known=False))
    assert found["measured_on"]["learned_from_it"] and not found["measured_on"]["same_data"]
    assert found["measured_on"]["patients"] is None


@pytest.mark.parametrize(
    ("card", "of"), [(CARD, "f" * 64), (replace(CARD, answer="Scores"), None)], ids=["bundle", "kind"]
)
def test_figures_of_another_model_are_not_shown(tmp_path: Path, card: Scorecard, of: str | None) -> None:
    """The card lies in a bundle whose manifest holds: somebody sealed it in, but it was measured on another."""
    found = told(tmp_path, card, of=of)
    assert (found["scorecard"], found["measured_on"], found["headlines"]) == (None, None, [])
    assert "another model" in found["banners"][0]["text"]


def test_a_bundle_without_a_card_says_nothing(tmp_path: Path) -> None:
    found = measured(segmenter(tmp_path / "organs"), "Mask")
    assert (found["scorecard"], found["measured_on"], found["banners"]) == (None, None, [])
