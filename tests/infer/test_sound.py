"""What another package's task does wrong is one line that names the task and the function, before any training."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vesalius.core.answers.value import Value
from vesalius.core.bundle import State
from vesalius.core.calling import assert_takes, calling
from vesalius.core.case import Case
from vesalius.core.errors import CodeError, DataError, PlanError
from vesalius.core.image import Image
from vesalius.infer import asked
from vesalius.infer.sound import assert_sound
from vesalius.plan.mirroring import assert_joined, why_unmirrored
from vesalius.prepare.batch import Example
from vesalius.tasks.classify import Classify
from vesalius.tasks.contract import Task
from vesalius.tasks.regress import Regress
from vesalius.tasks.segment import Segment

ANY: Any = SimpleNamespace()
IMAGE = Image(np.zeros((1, 1, 4, 4), np.float32))


def task_with(**changes: Any) -> Any:
    """Return a task of this file, which is regress but for its changes."""
    return type("Theirs", (Regress,), {"__module__": __name__, **changes})()


def says(words: str, work: Callable[[], object], kind: type[Exception] = CodeError) -> None:
    with pytest.raises(kind, match=words) as caught:
        work()
    assert "\n" not in str(caught.value)


def test_names_and_signatures_are_looked_at() -> None:
    assert_sound(task_with())
    for task in (Classify(), Regress(), Segment()):
        assert_sound(task)
    for changes, words in (
        ({"primary": "r3"}, "task regress: `primary` is not a metric of Value; found 'r3'; try: mae"),
        ({"run": "hole"}, "`run` is not registered; found 'hole'"),
        ({"roles": ()}, "`roles` names no role"),
        ({"answer": float}, "`answer` must be a kind of answer"),
        ({"scalar": None}, "task regress: there is no function `scalar`; found test_sound.py"),
        ({"scalar": lambda self: 1}, "`scalar` cannot be called as it will be.*scalar\\(raw, ask\\)"),
        ({"decode": lambda self, raw, state, calibration, reference: 1}, "`decode` cannot .*'undo'"),
    ):
        says(words, lambda changes=changes: assert_sound(task_with(**changes)))  # type: ignore[misc]
    keeps = task_with()
    keeps.kept = 3
    says("keeps something in itself.*found kept", lambda: assert_sound(keeps))


def test_metrics_without_a_function_are_named() -> None:
    judge = SimpleNamespace(rows=lambda answers, truths: None)
    like = lambda rows, index: None  # noqa: E731
    says(
        "the metrics: there is no function `summary`",
        lambda: assert_takes("the metrics", judge, "summary", like),
    )


@pytest.mark.parametrize("value", [{1, 2}, np.float32(1), float("nan")])
def test_a_state_that_json_does_not_hold(value: Any) -> None:
    task = task_with(state=lambda *_: State({"sd": value}), summary=lambda *_: None)
    says("task regress: `state` holds what JSON does not in 'sd'", lambda: asked.learned(task, [], None, ANY))


def test_a_failure_names_function_case_and_line() -> None:
    def encode(*_: Any) -> Example:
        raise KeyError("lung")

    words = r"task regress: `encode` failed about case p3; found KeyError: 'lung' \(test_sound.py:\d+\)"
    says(words, lambda: asked.encoded(task_with(encode=encode), Case("p3", {}), ANY, IMAGE, State()))
    with pytest.raises(KeyError), calling("ours", Regress(), "encode"):
        raise KeyError("a fault of ours keeps its traceback")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (3.0, "`decode` must return a Value, as `answer` says; found a float"),
        (None, "found nothing"),
        (Value(x=float("nan")), "the answer about case p3 is not a number; found NaN in `x`"),
    ],
)
def test_an_answer_is_looked_at(answer: Any, words: str) -> None:
    task = task_with(decode=lambda *_, **__: answer)
    says(words, lambda: asked.decoded(task, 0, State(), {}, IMAGE, case="p3"), DataError)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (torch.zeros(()), "`loss` must return single numbers.*found a Tensor"),
        ({}, "an empty dict"),
        ({"a": torch.zeros(3)}, r"'a' of shape \(3,\)"),
        ({"a": 1.0}, "'a', a float"),
    ],
)
def test_a_loss_that_is_no_dict_of_numbers(terms: Any, words: str) -> None:
    task = task_with(loss=lambda *_: terms)
    says(words, lambda: asked.terms_of(task, nn.Identity(), ANY, torch.Generator()))


@pytest.mark.parametrize(
    ("places", "words"), [([], "drew no example"), ([0, 999], "place 999 of 2 examples")]
)
def test_a_sampler_that_draws_what_is_not_there(places: list[int], words: str) -> None:
    task = task_with(sampler=lambda *_: lambda step, generator: places)
    examples = [Example(str(k), {}) for k in range(2)]
    draw = asked.sampler_of(task, examples, ANY)
    assert draw is not None
    says(f"task regress: what `sampler` returned {words}|{words}", lambda: draw(0, torch.Generator()))


def test_mirror_images_are_for_tasks_that_say_so() -> None:
    class Place(Regress):
        mirrors = Task.mirrors

    assert not Task.mirrors and why_unmirrored(Classify()) is None
    says(
        "cannot be joined; found a task that does not say",
        lambda: assert_joined(Place(), ["x"], hint=""),
        PlanError,
    )
    assert_joined(Place(), [], hint="")
