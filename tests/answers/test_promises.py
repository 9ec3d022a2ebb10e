"""What each kind of answer promises, against values computed by hand; and what it says where it cannot."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from vesalius.answers import contract
from vesalius.answers.mask import Drawn
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.value import Value
from vesalius.core.case import Case
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Image
from vesalius.core.levels import PER_STEP, SPAN, probability
from vesalius.core.promise import LEVELS, Limits, limits_of

ABC = tuple(Label(k, name) for k, name in enumerate("abc"))


def limits(at: dict[str, float], **more: Any) -> Limits:
    return Limits(0.9, at, dict.fromkeys(at, 60), **more)


def scores(*p: float, **more: Any) -> Scores:
    return Scores(labels=ABC, p=np.array(p), **more)


def promised(answer: Any, given: Limits) -> Any:
    return contract.of(answer).promised(answer, given).promise


def test_a_set_of_classes_and_whether_it_held() -> None:
    handling, answer = contract.of(Scores), scores(0.5, 0.1, 0.4)
    assert dict(handling.strangeness(answer, "c", "")) == pytest.approx({"": 0.6})
    assert promised(answer, limits({"": 0.6})).labels == ("a", "c")
    assert promised(answer, limits({"": 0.2})).labels == ("a",)  # the likeliest, never none
    made = handling.promised(answer, limits({"": 0.6}))
    assert handling.kept(made, "c").held == {"": 1.0} and handling.kept(made, "b").held == {"": 0.0}
    assert handling.kept(made, "b").size == 2 and handling.kept(answer, "b") is None
    with pytest.raises(DataError, match="no label of the answer"):
        handling.strangeness(answer, "z", "")


def test_too_few_cases_leave_nothing_out_and_say_so() -> None:
    found = promised(scores(0.9, 0.05, 0.05), Limits(0.9, {"": math.inf}, {"": 5}))
    assert found.labels == ("a", "b", "c")
    assert found.remarks == ("too few calibration cases (5 calibration cases): nothing is left out",)


def test_findings_have_a_threshold_each() -> None:
    handling, answer = contract.of(Scores), scores(0.5, 0.2, 0.05, kind="multilabel")
    assert dict(handling.strangeness(answer, ("a", "b"), "")) == pytest.approx({"a": 0.5, "b": 0.8})
    made = handling.promised(answer, limits({"a": 0.4, "b": 0.8}))  # of c nothing is known
    assert made.promise.labels == ("b", "c")
    assert handling.kept(made, ("a", "b")).held == {"a": 0.0, "b": 1.0}
    assert handling.kept(made, ()).held == {}
    assert any("with c (0 calibration cases)" in text for text in made.promise.remarks)
    with pytest.raises(DataError, match="threshold each"):
        handling.strangeness(answer, ("a",), "aps")


def test_what_a_threshold_calls_is_in_the_set_though_it_is_less_likely() -> None:
    answer = Scores(labels=ABC[:2], p=np.array([0.9, 0.1]), positive="b", thresholds={"b": 0.05})
    assert promised(answer, limits({"": 0.3})).labels == ("a", "b")
    assert promised(dataclasses.replace(answer, thresholds={"b": 0.5}), limits({"": 0.3})).labels == ("a",)


def test_grades_lie_side_by_side() -> None:
    answer = scores(0.3, 0.6, 0.1, kind="ordinal")
    assert dict(contract.of(Scores).strangeness(answer, "a", "")) == pytest.approx({"": 0.9})
    assert promised(answer, limits({"": 0.95})).labels == ("a", "b")


def test_an_interval_and_what_lies_beyond_all_seen() -> None:
    handling, answer = contract.of(Value), Value(x=10.0, unit="ml")
    assert handling.strangeness(answer, 12.5, "absolute") == {"": 2.5}
    about = handling.extent([(answer, 4.0), (answer, 11.0)])
    found = promised(answer, limits({"": 3.0}, about=about))
    assert found.interval == (7.0, 13.0) and found.text == "7 to 13 ml"
    assert found.remarks == ("the interval goes beyond the numbers that the calibration saw, 4 to 11 ml",)
    wide = promised(answer, limits({"": math.inf}))
    assert wide.interval == (None, None) and wide.text == "any number" and "no bounds" in wide.remarks[0]
    assert wide.columns()["promise_high"] == math.inf
    assert promised(Value(x=2.0, least=0.0), limits({"": math.inf})).interval == (
        0.0,
        None,
    )  # a count is never below 0
    made = handling.promised(answer, limits({"": 3.0}))
    assert handling.kept(made, 13.0).held == {"": 1.0} and handling.kept(made, 13.1).held == {"": 0.0}
    assert handling.kept(made, 0).size == 6
    with pytest.raises(DataError, match="how much they doubt"):
        handling.strangeness(answer, 1.0, "normalised")
    vague = promised(answer, limits({"": 3.0}, way="normalised"))
    assert vague.interval == (None, None) and "no standard deviation" in vague.remarks[0]
    with pytest.raises(UnknownName):
        handling.strangeness(answer, 1.0, "loud")


def mask() -> tuple[Mask, Drawn]:
    """A mask of two labels on a row of six voxels, with levels; the truth of the first is one voxel longer."""
    image = Image(np.array([[[[1, 1, 0, 0, 2, 0]]]], dtype=np.uint8), spacing_mm=(1.0, 1.0, 1.0))
    levels = np.array([[[[250, 200, 120, 30, 0, 0]]], [[[0, 0, 0, 90, 220, 60]]]], np.uint8).reshape(
        2, 1, 1, 6
    )
    labels = (Label(1, "liver"), Label(2, "lesion"))
    part = Map(image=dataclasses.replace(image, array=levels), quantity="levels")
    truth = dataclasses.replace(image, array=np.array([[[[1, 1, 1, 1, 0, 0]]]], dtype=np.int16))
    return Mask(image=image, labels=labels, parts={LEVELS: part}), Drawn(truth, None)


def test_voxels_that_an_outer_mask_misses() -> None:
    answer, truth = mask()
    found = contract.of(Mask).strangeness(answer, truth, "voxels")
    assert list(found) == ["liver"]  # of a label that is not there nothing is said
    curve = np.asarray(found["liver"])
    assert curve.shape == (257,) and curve[0] == 0
    assert curve[30] == 0 and curve[31] == 0.25  # the voxel of level 30 is lost from 31 on
    assert curve[120] == 0.25 and curve[121] == 0.5 == curve[256]  # those of the mask itself never
    made = contract.of(Mask).promised(answer, limits({"liver": 31.0, "lesion": math.inf}))
    outer = made.parts["outer"]
    assert outer.image.array[:, 0, 0].tolist() == [[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]]
    assert LEVELS not in made.parts and "is the whole image" in made.promise.remarks[0]
    kept = contract.of(Mask).kept(made, truth)
    assert kept.held == {"liver": 0.25} and kept.size == 9 / 3 and kept.mean


def test_what_lies_outside_of_a_crop_is_the_least_likely() -> None:
    answer, _ = mask()
    whole = Image(np.zeros((1, 1, 1, 9), np.uint8), spacing_mm=(1.0, 1.0, 1.0))
    placed = contract.of(Mask).placed(answer, (0, 0, 2), whole)
    assert placed.parts[LEVELS].image.array[0, 0, 0].tolist() == [0, 0, 250, 200, 120, 30, 0, 0, 0]


def test_levels_are_those_of_the_probability() -> None:
    torch = pytest.importorskip("torch")
    from vesalius.tasks.segment import TASK

    raw = torch.tensor([[0.0, 2.0, -9.0], [1.0, -1.0, 9.0]]).reshape(2, 1, 1, 3)
    (level,) = TASK.levels(raw).values()
    for p, k in zip(raw.softmax(dim=0)[1].ravel().tolist(), level.ravel().tolist(), strict=True):
        assert probability(k) <= p + 1e-9 and (k == 255 or p < probability(k + 1) + 1e-7)
    assert probability(0) == 0 and probability(256) == 1 and probability(128) == 0.5
    assert probability(1) == pytest.approx(1 / (1 + math.exp(SPAN - PER_STEP)))


def test_the_thresholds_of_a_case_are_those_of_its_group() -> None:
    fitted = {
        "coverage": 0.9,
        "by": {"column": "site", "bounds": []},
        "pooled": {"n": {"": 130}, "at": {"": 0.5}},
        "groups": {"A": {"n": {"": 80}, "at": {"": 0.4}}},
        "few": {"B": 20},
        "on": {"source": "a cohort of its own"},
    }

    def of(**covariates: Any) -> Limits:
        return limits_of(fitted, Case("x", {}, covariates=covariates))

    assert of(site="A").of() == 0.4 and of(site="A").group == "A" and of(site="A").least() == 80
    assert of(site="A").remarks == ()
    assert of(site="B").of() == 0.5 and "only 20 calibration cases of site 'B'" in of(site="B").remarks[0]
    assert "nothing is promised of this group" in of(site="Z").remarks[0] and of(site="Z").group is None
    assert "'site' is not known" in of().remarks[0]
    assert math.isinf(of(site="A").of("other"))
