"""Other ways to answer beside a model: the nearest training case, a template, what is most frequent; paired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vesalius.core.answers import Answer
from vesalius.core.answers.text import Text
from vesalius.core.answers.value import Value
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.errors import CodeError
from vesalius.core.image import Image
from vesalius.core.progress import Silent
from vesalius.core.scorecard import Scorecard
from vesalius.evaluate import rivals_shown
from vesalius.evaluate.nearest import GRID, Nearest, small, spread
from vesalius.evaluate.rivals import MODEL, NEAREST, TRIVIAL, Rivals
from vesalius.tasks.contract import Task
from vesalius.texts.reference import Reference, reference_of
from vesalius.texts.terms import Terms

TERMS = Terms.named("chest")


class Bare(Task):
    """A task of which nothing but what a test overrides is ever asked."""

    def __new__(cls) -> Bare:
        cls.__abstractmethods__ = frozenset()
        return object.__new__(cls)


class Writer(Bare):
    """A task that names a template."""

    name, answer, targets, needs_target = "writer", Text, (), False

    def rivals(self, answer: Answer, truth: Reference, state: State) -> Mapping[str, Answer]:
        return {"template": Text(sections={"": "No pleural effusion."})}


class Liar(Writer):
    """A task whose rival is of another kind."""

    def rivals(self, answer: Answer, truth: Reference, state: State) -> Mapping[str, Answer]:
        return {"template": Value(x=1.0)}


def case(k: int, report: str, *, bright: int) -> Case:
    array = np.zeros((1, 1, 40, 36), np.float32)
    array[0, 0, 4 * bright : 4 * bright + 6, 5:20] = 1.0
    image = Image(
        array + 0.01 * np.random.default_rng(k).random(array.shape, np.float32), spacing_mm=(1, 1, 1)
    )
    return Case(f"c{k}", {"image": image}, patient=f"p{k}", report=report)


LEFT, CLEAR = "There is a left pleural effusion.", "No pleural effusion."
TRAINING = [case(k, (LEFT, CLEAR)[k % 2], bright=1 + 4 * (k % 2)) for k in range(6)]


def truth_of(one: Case) -> Any:
    return reference_of(one, TERMS)


def rivals(task: Task, training: list[Case]) -> Rivals:
    return Rivals(task, State({}), training, truth=truth_of, progress=Silent())


def held(task: Task, training: list[Case]) -> dict[str, Any]:
    """Return what is found of sixteen cases that look like training cases and are as these, all answered rightly."""
    made = rivals(task, training)
    for k in range(16):
        one = case(100 + k, (LEFT, CLEAR)[k % 2], bright=1 + 4 * (k % 2))
        answer = Text(sections={"": str(one.report)}, case_id=one.id)
        made.add(one, answer, truth_of(one), Text(sections={"": CLEAR}), one.images["image"])  # type: ignore[arg-type]
    return made.found(patients_known=True, resamples=60)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return held(Writer(), TRAINING)


def test_a_small_copy_has_mean_0_and_length_1_whatever_the_size() -> None:
    image = TRAINING[0].images["image"]
    assert isinstance(image, Image)
    copy = small(image)
    assert (
        copy.shape == GRID
        and abs(copy.mean()) < 1e-6
        and np.linalg.norm(copy) == pytest.approx(1.0, abs=1e-5)
    )
    twice = replace(image, array=image.array.repeat(2, axis=2).repeat(2, axis=3))
    assert float((small(twice) * copy).sum()) > 0.98
    assert not small(replace(image, array=np.full_like(image.array, 3.0))).any()
    assert spread(10, 4) == [0, 3, 6, 9] and spread(0, 4) == []


def test_the_nearest_is_the_most_alike_and_never_the_case_itself() -> None:
    nearest = Nearest(TRAINING, lambda c: Text(sections={"": c.id}), progress=Silent())
    image = TRAINING[3].images["image"]
    assert isinstance(image, Image)
    itself, other = nearest.of(image, "elsewhere"), nearest.of(image, "c3")
    assert isinstance(itself, Text) and itself.sections[""] == "c3"
    assert isinstance(other, Text) and other.sections[""] in ("c1", "c5")
    assert Nearest([], lambda c: None, progress=Silent()).of(image, "c3") is None


def test_rivals_are_compared_with_the_model_on_the_same_cases(found: dict[str, Any]) -> None:
    arms = {arm["name"]: arm for arm in found["arms"]}
    assert list(arms) == [TRIVIAL, NEAREST, "template"] and found["training"] == 6
    assert all(arm["n"] == 16 for arm in arms.values())
    near = arms[NEAREST]
    assert near["figures"]["findings_f1"]["value"] == 1.0, "the images tell which report fits"
    assert near["differences"]["findings_f1"]["difference"] == 0.0
    for name in (TRIVIAL, "template"):
        assert arms[name]["figures"]["findings_f1"]["value"] == 0.0
        apart = arms[name]["differences"]["omissions"]
        assert (
            apart["difference"] == pytest.approx(-0.5) and apart["low"] < apart["difference"] < apart["high"]
        )
        assert apart["better"] == MODEL


def test_without_training_cases_the_card_says_why_none_is_quoted() -> None:
    found = held(Writer(), [])
    assert [arm["name"] for arm in found["arms"]] == [TRIVIAL, "template"]
    assert "no training case is among these data" in found["without"]


def test_a_kind_that_cannot_be_quoted_has_none() -> None:
    class Counter(Bare):
        """A task of numbers."""

        name, answer, targets = "counter", Value, ("number",)

    made = Rivals(Counter(), State({}), TRAINING, truth=truth_of, progress=Silent())
    image = TRAINING[0].images["image"]
    made.add(TRAINING[0], Value(x=1.0), 2.0, Value(x=1.0), image)  # type: ignore[arg-type]
    assert made.nearest is None and made.found(patients_known=True) == {}


def test_a_rival_of_another_kind_is_refused() -> None:
    with pytest.raises(CodeError, match="`rivals` must return a Text"):
        held(Liar(), [])


def test_they_are_shown_in_a_table_and_in_lines(found: dict[str, Any]) -> None:
    card = Scorecard("Text", "test", 8, 8, True, "d", "b", {}, rivals=found)
    table = rivals_shown.panels(card)[0]
    assert [row[0].text for row in table.rows] == [TRIVIAL, NEAREST, "template"]
    tones = {row[0].text: row[7].tone for row in table.rows}
    assert tones == {TRIVIAL: "good", NEAREST: "", "template": "good"}, "fewer omissions are better"
    said = rivals_shown.lines(card)
    assert said[1].startswith(f"{NEAREST}: F1 of findings 1") and said[1].endswith("n = 16")
    assert rivals_shown.panels(Scorecard("Text", "test", 8, 8, True, "d", "b", {})) == []
