"""A bundle of what is normal guards others: what it calls is marked or refused; what it cannot look at is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import test_guard

from _normality import normality
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Case
from vesalius.core.errors import DataError, MismatchError, PlanError
from vesalius.core.image import Array, Image
from vesalius.core.learned import UNLIKE, Seen, statistics, summary
from vesalius.infer.guard import raised
from vesalius.infer.guarding import Guard, guard_of
from vesalius.infer.predictor import Predictor


def noise(seed: int) -> Array:
    return np.random.default_rng(seed).integers(60, 190, (32, 32), dtype=np.uint8)


STRIPES = np.repeat(np.where(np.arange(32) % 2, 255, 0).astype(np.uint8)[:, None], 32, axis=1)


def case(pixels: Array, *, modality: str | None = None, name: str = "c") -> Case:
    image = Image(pixels[None, None], modality=modality)
    return Case(name, {"image": image}, covariates={"age": 61}, targets={"truth": "label-1"})


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Guard:
    folder = tmp_path_factory.mktemp("guarding") / "normal"
    ends = ((0.0, 190.0), (60.0, 255.0))
    learned = summary(
        statistics([Seen((1, 32, 32), None, low, high, "US", None) for low, high in ends]), absolute=True
    )
    return guard_of(
        Predictor(
            open_bundle(normality(folder, [noise(k) for k in range(30)], learned=learned)), device="cpu"
        )
    )


def guarded(guard: Guard) -> Predictor:
    return test_guard.predictor("classify", None).guarded(guard)


def test_a_called_case_is_marked_in_every_way_of_asking_and_the_answer_stays(guard: Guard) -> None:
    asked, alone = guarded(guard), test_guard.predictor("classify", None)
    strange, usual = case(STRIPES), case(noise(3))
    looks = guard.predictor
    assert isinstance(looks, Predictor)
    score = float(looks.raw(strange)[0, 0, 0, 0])
    limit = max(guard.predictor.stages[-1].stage.calibration["scores"])
    said = f"{UNLIKE}the guard 'normal': score {score:.4g}, above the {limit:.4g} which 3.2 % of normal ones exceed"
    assert score > limit
    one, several = asked(strange), asked.together([usual, strange])
    assert one.outside == several[1].outside == (said,) and raised(one.outside)  # type: ignore[union-attr]
    assert several[0].outside is None  # type: ignore[union-attr]  # of a bundle that does not say what it learned from
    assert np.array_equal(one.p, alone(strange).p)  # type: ignore[attr-defined]
    assert alone(strange).outside is None


def test_a_called_case_is_refused_where_that_is_asked_for(guard: Guard) -> None:
    asked = guarded(guard).refusing
    with pytest.raises(MismatchError, match="case c: unlike the cases that the guard 'normal' learned from"):
        asked(case(STRIPES))
    found = asked.together([case(STRIPES), case(noise(3), name="d")])
    assert isinstance(found[0], MismatchError) and not isinstance(found[1], DataError)


def test_another_kind_of_image_than_the_guards_is_refused_and_marked_where_accepted(guard: Guard) -> None:
    other = case(noise(3), modality="MR")
    with pytest.raises(MismatchError, match="the guard 'normal' cannot look at it.*modality MR"):
        guarded(guard)(other)
    outside = guarded(guard).accepting(other).outside
    assert outside == ("the guard 'normal': accepted: modality MR, learned from US",)
    large = case(np.tile(noise(3), (2, 2)))
    assert any("the guard 'normal': size 64×64" in text for text in guarded(guard)(large).outside or ())


def test_an_image_that_the_guard_cannot_look_at_is_no_ordinary_one(guard: Guard) -> None:
    three = Case("c", {"image": Image(np.zeros((3, 1, 32, 32), np.uint8))})
    with pytest.raises(MismatchError, match="case c: the guard 'normal' cannot look at it"):
        guard.said(three, None)
    none = Case("c", {}, reference=None)
    assert guard.said(none, None) == ("the guard 'normal': there is no image to look at",)


def test_what_calls_nothing_or_looks_at_something_else_guards_nothing(guard: Guard, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="guards no other one.*classify"):
        guard_of(test_guard.predictor("classify", None))
    (loaded,) = guard.predictor.stages
    open_ended = Predictor.__new__(Predictor)
    open_ended.bundle = guard.predictor.bundle
    open_ended.stages = (replace(loaded, stage=replace(loaded.stage, calibration={})),)
    with pytest.raises(PlanError, match="guards no other one"):
        guard_of(open_ended)
    volumes = test_guard.predictor("segment", test_guard.learned(None, (8, 8, 8)))
    with pytest.raises(PlanError, match="planes, and volumes"):
        volumes.guarded(guard)
    other = normality(tmp_path / "other", [noise(k) for k in range(6)], image="view")
    with pytest.raises(PlanError, match="not asked about.*view, beside image"):
        test_guard.predictor("classify", None).guarded(guard_of(Predictor(open_bundle(other), device="cpu")))
