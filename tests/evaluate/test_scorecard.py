"""The scorecard: its figures, what stands beside them, and JSON both ways."""

import json

import numpy as np
import pytest

from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, FormatError
from vesalius.core.image import Image
from vesalius.core.scorecard import load_scorecard, nameless, save_scorecard
from vesalius.evaluate.scorecard import scorecard
from vesalius.metrics import mask, scores, value

RNG = np.random.default_rng(0)
IDS = [f"case {i}" for i in range(60)]
Y = RNG.integers(0, 2, 60)
P = np.clip(0.5 + 0.3 * (Y - 0.5) + RNG.normal(0, 0.2, 60), 0, 1)


def binary():
    made = {"labels": ["benign", "malignant"], "positive": "malignant", "case_ids": IDS}
    rows = scores.from_arrays(np.stack([1 - P, P], 1), Y, thresholds={"malignant": 0.4}, **made)
    trivial = scores.from_arrays(np.tile(scores.baseline(Y, 2), (60, 1)), Y, **made)
    return rows, trivial


def scored(**kw):
    rows, trivial = binary()
    return scorecard(rows, "Scores", split="test", data_hash="f" * 64, baseline=trivial, resamples=200, **kw)


def test_what_stands_beside_the_figures():
    card = scored(patients=[f"p{i // 2}" for i in range(60)], bundle="b" * 64, baseline_is="the majority")
    assert (card.n_patients, card.n_cases, card.patients_known) == (30, 60, True)
    assert card.positive == "malignant" and card.thresholds == {"malignant": 0.4}
    assert card.metrics["auc"].low < card.metrics["auc"].value < card.metrics["auc"].high
    assert card.baseline["auc"].value == 0.5 and set(card.baseline) == set(card.metrics)
    assert np.sum(card.curves["confusion"]) == 60
    assert list(card.curves["roc"]) == ["malignant"]


def test_without_patients_each_case_counts_as_one():
    assert not scored().patients_known and scored().n_patients == 60
    assert not scored(patients=[None] + ["p"] * 59).patients_known


def test_json_both_ways_and_the_fields_that_are_promised(tmp_path):
    card = scored()
    save_scorecard(card, tmp_path / "scorecard.json")
    assert load_scorecard(tmp_path / "scorecard.json") == card
    data = json.loads((tmp_path / "scorecard.json").read_text())
    assert {"split", "n_patients", "n_cases", "data_hash", "metrics"} <= set(data)
    assert {"value", "low", "high", "n"} <= set(data["metrics"]["auc"])


def test_nothing_of_single_cases_is_left_for_the_bundle(tmp_path):
    save_scorecard(nameless(scored()), tmp_path / "s.json")
    assert "case 1" not in (tmp_path / "s.json").read_text()
    assert "case 1" in json.dumps(scored().cases)


def test_a_file_that_is_none_is_named(tmp_path):
    (tmp_path / "s.json").write_text('{"version": 1, "metrics": 3}')
    with pytest.raises(FormatError, match="not a scorecard"):
        load_scorecard(tmp_path / "s.json")
    (tmp_path / "s.json").write_text('{"version": 99}')
    with pytest.raises(FormatError, match="newer"):
        load_scorecard(tmp_path / "s.json")


def test_masks_with_what_was_left_out(tmp_path):
    labels = (Label(1, "liver"), Label(2, "lesion"))
    truth = np.zeros((1, 1, 16, 16), np.uint8)
    truth[0, 0, 4:9, 4:9] = 1
    answers = [Mask(image=Image(np.roll(truth, i, 3)), labels=labels, case_id=str(i)) for i in range(4)]
    card = scorecard(mask.rows(answers, [Image(truth)] * 4), "Mask", split="test", data_hash="", resamples=50)
    assert card.excluded == {"both_empty/lesion": 4}
    assert card.metrics["dice/liver"].n == 4 and card.metrics["dice/lesion"].value is None
    assert card.tolerance_px == 1.0
    save_scorecard(card, tmp_path / "s.json")  # a missing figure is null, so any JSON reader takes it
    assert load_scorecard(tmp_path / "s.json").cases[0]["dice/lesion"] is None


def test_numbers():
    rows = value.from_arrays(
        np.arange(9.0), np.arange(9.0) + 1, unit="years", case_ids=[str(i) for i in range(9)]
    )
    card = scorecard(rows, "Value", split="test", data_hash="", resamples=50)
    assert (
        card.unit == "years"
        and card.metrics["mae"].value == 1
        and card.cases[2] == {"case": "2", "x": 2, "y": 3}
    )


def test_many_curves_are_thinned_to_what_can_be_seen():
    p = RNG.random(5000)
    rows = scores.from_arrays(np.stack([1 - p, p], 1), RNG.integers(0, 2, 5000), labels=["a", "b"])
    card = scorecard(rows, "Scores", split="test", data_hash="", resamples=2)
    assert len(card.curves["roc"]["b"]["x"]) == 200
    assert card.curves["roc"]["b"]["x"][-1] == 1.0


def test_a_baseline_to_other_cases_is_an_error():
    rows, _ = binary()
    other = scores.from_arrays(rows["p"], Y, labels=["benign", "malignant"])
    with pytest.raises(DataError, match="same cases"):
        scorecard(rows, "Scores", split="test", data_hash="", baseline=other)


def test_the_baseline_is_judged_by_the_same_positive_class():
    """A trivial answer names no positive class; where the first label is positive, it must not be the second."""
    y, labels = np.array([0] * 10 + [1] * 30), ["malignant", "benign"]
    p = np.stack([np.where(y == 0, 0.7, 0.2), np.where(y == 0, 0.3, 0.8)], 1)
    rows = scores.from_arrays(p, y, labels=labels, positive="malignant")
    trivial = scores.from_arrays(np.tile([0.25, 0.75], (40, 1)), y, labels=labels)
    card = scorecard(rows, "Scores", split="test", data_hash="", baseline=trivial, resamples=20)
    assert card.positive == "malignant"
    assert card.baseline["recall"].value == 0 and card.baseline["specificity"].value == 1
    assert card.baseline["average_precision"].value == pytest.approx(10 / 40)
