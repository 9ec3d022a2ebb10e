"""Promises of a task in training: a fit, one that was stopped and goes on, and the bundle that is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vesalius.core import encoding
from vesalius.core.answers import Answer
from vesalius.testing.described import require_empty
from vesalius.testing.promise import require
from vesalius.testing.trial import TaskTrial

LEAST_NAME = 6  # characters: a shorter case id or patient may stand in a text by chance


def is_fitted(trial: TaskTrial) -> None:
    """Require that a fit leaves a bundle, a scorecard of its kind of answer, and a report."""
    run = trial.run
    require(run.bundle is not None, f"{trial}: a fit leaves a bundle")
    kind, card = trial.task.answer.__name__, run.scorecard
    require(
        card is not None and card.answer == kind, f"{trial}: its scorecard is about answers of kind {kind}"
    )
    require(card is not None and card.n_cases > 0, f"{trial}: its scorecard is about one case at least")
    report = trial.run_folder / "report.html"
    require(report.is_file(), f"{trial}: a fit leaves a report")
    require(trial.task.name in report.read_text(encoding="utf-8").lower(), f"{trial}: its report names it")


def ends_with_the_same_weights_when_resumed(trial: TaskTrial) -> None:
    """Require that a fit which was stopped and gone on with ends with the weights of one that nobody disturbed."""
    straight = _weights(trial.bundle)
    require(trial.resumed.bundle is not None, f"{trial}: a fit that goes on leaves a bundle")
    resumed = _weights(trial.folder / "resumed" / "bundle")
    require(straight, f"{trial}: a bundle holds weights")
    require(
        list(straight) == list(resumed), f"{trial}: a fit that goes on ends with the same files of weights"
    )
    moved = [name for name, data in straight.items() if resumed[name] != data]
    told = f"{trial}: a fit that was stopped and goes on ends with the same weights, and {', '.join(moved)} differ"
    require(not moved, told)


def answers_from_its_bundle_alone(trial: TaskTrial) -> None:
    """Require that a copy of the bundle in another place gives the same answers, to the bit."""
    for case, answer in zip(trial.cases, trial.answers, strict=True):
        require(same(trial.moved(case), answer), f"{trial}: a copy of its bundle gives the same answer")


def still_holds_nothing(trial: TaskTrial) -> None:
    """Require that the instance holds nothing after it was fitted and asked: a new process would not have it."""
    require_empty(trial, " after a fit and an answer")


def answers_alike_when_asked_twice(trial: TaskTrial) -> None:
    """Require that the same question has the same answer, to the bit."""
    again = trial.predictor(trial.cases[0])
    require(same(again, trial.answers[0]), f"{trial}: asked twice, it gives the same answer")


def names_no_case_in_its_bundle(trial: TaskTrial) -> None:
    """Require that no text of the bundle holds a case id, a patient or a place on this machine."""
    names = {c.id for c in trial.space.cohort.cases} | {c.patient or "" for c in trial.space.cohort.cases}
    known = {n for n in names if len(n) >= LEAST_NAME and not n.isdigit()} | {str(trial.folder)}
    for path in sorted(p for p in trial.bundle.iterdir() if p.suffix in (".json", ".md")):
        text = path.read_text(encoding="utf-8")
        found = sorted(n for n in known if n in text)
        require(
            not found, f"{trial}: its bundle names no case and no patient, but {path.name} has {found[:1]}"
        )


def same(one: Answer, other: Answer) -> bool:
    """Return whether two answers are the same to the bit, in all that is stored of them."""
    return type(one) is type(other) and encoding.as_text(one) == encoding.as_text(other)


def _weights(bundle: Path) -> dict[str, bytes]:
    """Return the files of weights of a bundle by name."""
    return {p.name: p.read_bytes() for p in sorted(bundle.glob("weights-*.safetensors"))}


FITTED: tuple[Callable[[TaskTrial], None], ...] = (
    is_fitted,
    ends_with_the_same_weights_when_resumed,
    answers_from_its_bundle_alone,
    answers_alike_when_asked_twice,
    still_holds_nothing,
    names_no_case_in_its_bundle,
)
