"""Whether a task, its kind of answer and its metrics have all names that will be called: looked at before training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vesalius import metrics
from vesalius.answers import contract as answers
from vesalius.answers.contract import Handling
from vesalius.core import registry
from vesalius.core.answers import Answer, kind_of
from vesalius.core.calling import assert_takes, file_of, is_ours
from vesalius.core.errors import CodeError
from vesalius.core.options import assert_options
from vesalius.infer.asked import assert_empty
from vesalius.metrics import Rows
from vesalius.tasks.contract import Task

WORDS = ("name", "run", "primary", "recipe")
TUPLES = ("targets", "roles")
DESCRIBED = ("text", "better", "low", "high", "unit")


def assert_sound(task: Task) -> None:
    """Raise CodeError, naming file and function, where a task's own code lacks what will be asked of it.

    Nothing is called but what describes it, so that a slip is said in a moment, not after the training. A task of
    Vesalius itself is taken as sound, as its tests say so; its kind of answer and the metrics of that likewise.
    """
    if not is_ours(task):
        _task(task)
    handling = _handling(task)
    if not is_ours(handling):
        _methods(f"answers of kind {task.answer.__name__}", handling, Handling)
    _metrics(task)


def _task(task: Task) -> None:
    """Check the names and the functions of a task."""
    what, where = f"task {getattr(task, 'name', '')}", file_of(task)
    if not isinstance(task, Task):
        raise CodeError(
            f"TASK in {where or 'a file of tasks'} must be an instance of a Task",
            found=str(type(task).__name__),
            hint="TASK = Age(), of a class that derives from vesalius.tasks.contract.Task",
        )
    for name in WORDS:
        value = getattr(task, name, None)
        if not (isinstance(value, str) and value):
            raise CodeError(f"{what}: `{name}` must be a text", found=_found(task, name), hint=where)
    for name in TUPLES:
        value = getattr(task, name, None)
        if not isinstance(value, tuple | list):
            raise CodeError(
                f"{what}: `{name}` must be a tuple of names", found=_found(task, name), hint=where
            )
    if not task.roles:
        raise CodeError(f"{what}: `roles` names no role of a net", hint='("encoder",) or ("dense",)')
    if not task.targets and task.needs_target:
        raise CodeError(f"{what}: `targets` names no kind of target", hint="needs_target = False, or a kind")
    _one_of(what, "run", task.run, "infer.runs")
    _one_of(what, "recipe", task.recipe, "learn.recipes")
    assert_empty(task)
    _methods(what, task, Task)
    if registry.stem_of("tasks", task.name):
        assert_options("tasks", task.name)


def _one_of(what: str, name: str, value: str, kind: str) -> None:
    known = registry.names(kind)
    if value not in known:
        raise CodeError(f"{what}: `{name}` is not registered", found=f"'{value}'", hint=", ".join(known))


def _handling(task: Task) -> Handling[Any]:
    """Return what is done with a task's answers. Raises CodeError where its dataclass or its file does not fit."""
    kind = getattr(task, "answer", None)
    if not (isinstance(kind, type) and issubclass(kind, Answer)):
        raise CodeError(
            f"task {task.name}: `answer` must be a kind of answer",
            found=_found(task, "answer"),
            hint=file_of(task),
        )
    if kind_of(kind.__name__) is not kind:
        raise CodeError(
            f"task {task.name}: `answer` is not the kind that is registered under its name",
            found=kind.__name__,
        )
    handling = answers.of(kind)
    if not isinstance(handling, Handling) or getattr(handling, "kind", None) is not kind:
        raise CodeError(
            f"HANDLING of answers/{kind.__name__.lower()} must be a Handling whose `kind` is {kind.__name__}",
            found=f"{type(handling).__name__} of {getattr(getattr(handling, 'kind', None), '__name__', 'no kind')}",
        )
    return handling


def _metrics(task: Task) -> None:
    """Check the metrics of a task's answers, and that `primary` is one of them where there is a truth to judge by."""
    kind = task.answer.__name__
    if not metrics.judges(kind):
        return
    module, what = metrics.for_answer(kind), f"the metrics of {kind}"
    known = getattr(module, "DESCRIPTIONS", None)
    if not (isinstance(known, Mapping) and known):
        raise CodeError(f"{what} have no DESCRIPTIONS", found=file_of(module))
    lacking = {n: [w for w in DESCRIBED if w not in about] for n, about in known.items()}
    for name, words in lacking.items():
        if words:
            raise CodeError(f"{what}: DESCRIPTIONS of '{name}' lack {', '.join(words)}", hint=file_of(module))
    if task.targets and task.primary.partition("/")[0] not in known:
        raise CodeError(
            f"task {task.name}: `primary` is not a metric of {kind}",
            found=f"'{task.primary}'",
            hint=", ".join(known),
        )
    if not is_ours(module):
        for name, like in _JUDGES.items():
            assert_takes(what, module, name, like)


def _methods(what: str, thing: object, base: type) -> None:
    """Check that each function of a contract which a class has anew can be called as the contract says."""
    for name, like in vars(base).items():
        own = getattr(type(thing), name, None)
        if callable(like) and not name.startswith("_") and own is not like:
            assert_takes(what, thing, name, like)


def _found(task: Task, name: str) -> str:
    return repr(getattr(task, name)) if hasattr(task, name) else "nothing"


def _rows(answers: Any, truths: Any) -> Rows:
    raise NotImplementedError


def _summary(rows: Rows, index: Any) -> dict[str, float]:
    raise NotImplementedError


def _of_rows(rows: Rows) -> dict[str, int]:
    raise NotImplementedError


_JUDGES: Mapping[str, Callable[..., Any]] = {
    "rows": _rows,
    "summary": _summary,
    "counts": _of_rows,
    "excluded": _of_rows,
}
