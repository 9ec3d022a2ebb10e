"""What a task is asked for by whoever trains and answers with it; what comes back is looked at before it is used."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vesalius.core.answers import Answer
from vesalius.core.bundle import State
from vesalius.core.calling import calling
from vesalius.core.case import Case
from vesalius.core.errors import CodeError, DataError, PlanError
from vesalius.core.fields import short
from vesalius.core.image import Image
from vesalius.core.plan import Plan
from vesalius.infer import beside
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import Prepared
from vesalius.prepare.geometry import Undo
from vesalius.tasks.contract import Nets, Sampler, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def learned(task: Task, cases: Sequence[Case], target: Any, plan: Plan) -> State:
    """Return the state that follows from training cases. Raises CodeError where it cannot be stored in a bundle."""
    what = f"task {task.name}"
    with calling(what, task, "summary"):
        summary = task.summary(cases, target, plan)
    with calling(what, task, "state"):
        state = task.state(summary, target, plan)
    assert_stored(task, state)
    assert_empty(task)
    return state


def assert_stored(task: Task, state: State) -> None:
    """Raise CodeError where a state is none, or holds what JSON and safetensors do not."""
    what = f"task {task.name}: "
    if not isinstance(state, State):
        raise CodeError(f"{what}`state` must return a State", found=type(state).__name__)
    for name, value in state.values.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise CodeError(
                f"{what}`state` holds what JSON does not in '{name}'",
                found=f"{short(value)}: {error}",
                hint="a float, int, bool, text, list or dict, as with float(x) or sorted(x); arrays go to State.arrays",
            ) from error
    odd = [name for name, array in state.arrays.items() if not isinstance(array, np.ndarray)]
    if odd:
        raise CodeError(f"{what}the arrays of its state must be numpy's", found=f"{', '.join(odd)}")


def assert_empty(task: Task) -> None:
    """Raise CodeError where the instance of a task holds something, which another process will not have."""
    held = ", ".join(vars(task))
    if held:
        raise CodeError(
            f"task {task.name} keeps something in itself, which a new process will not have",
            found=held,
            hint="return it in the State, or put it into the model",
        )


def encoded(task: Task, case: Case, prepared: Prepared, reference: Image, state: State) -> Example:
    """Return a prepared case with its targets as numbers. Raises CodeError, naming the case, for what is no Example."""
    with calling(f"task {task.name}", task, "encode", case=case.id):
        example = task.encode(case, prepared, reference, state)
    if not isinstance(example, Example):
        raise CodeError(
            f"task {task.name}: `encode` must return an Example about case {case.id}",
            found=type(example).__name__,
        )
    return example


def built(task: Task, plan: Plan, state: State, nets: Nets) -> nn.Module:
    """Return the task's model. Raises CodeError for what is none."""
    from torch import nn

    with calling(f"task {task.name}", task, "build"):
        model = task.build(plan, state, nets)
    if not isinstance(model, nn.Module):
        raise CodeError(
            f"task {task.name}: `build` must return a torch.nn.Module", found=type(model).__name__
        )
    return model


def inferred(task: Task, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
    """Return the raw output about a batch, of a compiled graph where one stands beside the model and can say it."""
    compiled = beside.of(model)
    if compiled is not None and isinstance(task, Task):  # what only listens to a task asks here again
        raw = compiled.raw(batch)
        if raw is not None:
            return raw
    with calling(f"task {task.name}", task, "infer"):
        return task.infer(model, batch, generator)


def begun(task: Task, model: nn.Module, rows: int) -> Any:
    """Return what a model remembers of so many cases before their first step."""
    with calling(f"task {task.name}", task, "begin"):
        return task.begin(model, rows)


def stepped(
    task: Task, model: nn.Module, batch: Batch, memory: Any, generator: torch.Generator
) -> tuple[Tensor, Any]:
    """Return the raw output after further steps, and what is remembered then."""
    with calling(f"task {task.name}", task, "step"):
        return task.step(model, batch, memory, generator)


def terms_of(task: Task, model: nn.Module, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
    """Return the named terms of a batch's loss. Raises CodeError for what is no mapping of single numbers."""
    from torch import Tensor

    with calling(f"task {task.name}", task, "loss"):
        terms = task.loss(model, batch, generator)
    if isinstance(terms, Mapping) and terms:
        odd = {k: v for k, v in terms.items() if not isinstance(v, Tensor) or v.ndim}
        if not odd:
            return terms
        name, value = next(iter(odd.items()))
        found = (
            f"'{name}' of shape {tuple(value.shape)}"
            if isinstance(value, Tensor)
            else f"'{name}', a {type(value).__name__}"
        )
    else:
        found = (
            f"an empty {type(terms).__name__}" if isinstance(terms, Mapping) else f"a {type(terms).__name__}"
        )
    raise CodeError(
        f"task {task.name}: `loss` must return single numbers (tensors without axes) by name",
        found=found,
        hint='{"name": loss.mean()}',
    )


def decoded(
    task: Task,
    raw: Any,
    state: State,
    calibration: Mapping[str, Any],
    reference: Image,
    *,
    undo: Undo | None = None,
    case: str = "",
) -> Answer:
    """Return the answer that a raw output says. Raises CodeError for another kind, DataError for one that is NaN."""
    with calling(f"task {task.name}", task, "decode", case=case):
        answer = task.decode(raw, state, calibration, reference, undo=undo)
    assert_kind(task, answer, "decode")
    odd = _not_a_number(answer)
    if odd:
        about = f" about case {case}" if case else ""
        raise DataError(
            f"task {task.name}: the answer{about} is not a number",
            found=f"NaN in `{odd}`",
            hint="look at `decode` and at the state; a model that has come apart, too, needs a smaller train.lr",
        )
    return answer


def checked(task: Task, raw: Any, example: Example, state: State) -> Any:
    """Return what a task keeps, for its calibration, of a raw answer about a case that its model never saw."""
    with calling(f"task {task.name}", task, "checked", case=example.case_id):
        return task.checked(raw, example, state)


def calibrated(
    task: Task,
    raw: Sequence[Any],
    truths: Sequence[Any],
    *,
    state: State,
    plan: Plan,
    patients: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return what a task fits on cases that its models never saw; one whose `calibrate` takes no patients has none."""
    takes = inspect.signature(task.calibrate).parameters
    beside: dict[str, Any] = {"patients": patients} if "patients" in takes else {}
    with calling(f"task {task.name}", task, "calibrate"):
        return task.calibrate(raw, truths, state=state, plan=plan, **beside)


def chances_of(task: Task, raw: Tensor) -> Tensor:
    """Return the chances `(B, K, z, y, x)` of a `dense` task's raw field. Raises PlanError where it says none."""
    with calling(f"task {task.name}", task, "chances"):
        found = task.chances(raw)
    if found is None:
        raise PlanError(
            f"the points of {task.name} have no chances, so that opinions about them cannot be compared",
            hint="a task whose `chances` says them",
        )
    return found


def assert_kind(task: Task, answer: object, function: str) -> None:
    """Raise CodeError where a task answers with another kind than it names."""
    if not isinstance(answer, task.answer):
        raise CodeError(
            f"task {task.name}: `{function}` must return a {task.answer.__name__}, as `answer` says",
            found="nothing" if answer is None else f"a {type(answer).__name__}",
        )


def sampler_of(task: Task, examples: Sequence[Example], plan: Plan) -> Sampler | None:
    """Return what draws a task's batches, or None for the usual draw. Raises CodeError for places that do not exist."""
    with calling(f"task {task.name}", task, "sampler"):
        draw = task.sampler(examples, plan)
    if draw is None:
        return None
    if not callable(draw):
        raise CodeError(
            f"task {task.name}: `sampler` must return a function of step and generator, or None",
            found=type(draw).__name__,
        )
    return _checked(task, draw, len(examples))


def _checked(task: Task, draw: Sampler, n: int) -> Callable[[int, torch.Generator], Sequence[int]]:
    def checked(step: int, generator: torch.Generator) -> list[int]:
        with calling(f"task {task.name}", task, "sampler"):
            places = list(draw(step, generator))
        odd = [p for p in places if not 0 <= int(p) < n]
        if odd or not places:
            raise CodeError(
                f"task {task.name}: what `sampler` returned drew "
                + ("no example" if not places else "a place that does not exist"),
                found=f"step {step}" + (f", place {odd[0]} of {n} examples" if odd else ""),
                hint=f"places from 0 to {n - 1}, train.batch of them",
            )
        return [int(p) for p in places]

    return checked


def _not_a_number(value: Any, path: str = "") -> str:
    """Return where an answer has a number that is NaN, or an array without any other; '' where it has none."""
    if isinstance(value, float | np.floating):
        return path if math.isnan(value) else ""
    if isinstance(value, np.ndarray):
        bad = value.dtype.kind == "f" and value.size and bool(np.isnan(value).all())
        return path if bad else ""
    if isinstance(value, Image):
        return ""
    held: Mapping[Any, Any]
    if dataclasses.is_dataclass(value):
        held = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    elif isinstance(value, Mapping):
        held = dict(value)
    elif isinstance(value, list | tuple):
        held = dict(enumerate(value))
    else:
        return ""
    found = (_not_a_number(v, f"{path}.{k}".lstrip(".")) for k, v in held.items())
    return next((f for f in found if f), "")
