"""Weights to begin from: another bundle's, or those of others; what they mean, and what is taken of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core.bundle import Bundle, open_bundle
from vesalius.core.cohort import Assignment
from vesalius.core.errors import BundleError, PlanError
from vesalius.core.plan import USER, DataPlan, Plan, override
from vesalius.core.progress import Progress
from vesalius.core.sealed import MANIFEST
from vesalius.core.words import counted
from vesalius.evaluate.answered import of_its_training
from vesalius.evaluate.banners import COLLAPSED
from vesalius.infer.stored import unpacked, weights_of
from vesalius.language import tokenizers
from vesalius.learn import adapters
from vesalius.learn.phases import assert_learned
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.stepper import build
from vesalius.learn.vocabulary import Worded
from vesalius.learn.weights import fit_of
from vesalius.nets import describe
from vesalius.reliability.trained_on import TrainedOn, learned
from vesalius.run.past import Past, past_of_bundle
from vesalius.run.ready import Ready
from vesalius.run.workspace import Workspace
from vesalius.weights import reader
from vesalius.weights.contract import Weights
from vesalius.weights.files import open_file

WORDY = ("text", "writer")  # roles of nets that see no image
LICENCE = "; their licence: "  # ends the reason of `net.init`, where a later run reads it


@dataclass(frozen=True, eq=False)
class Start:
    """Weights to begin from. `plan` is that of the bundle they are of, `member` which of its `members` they are.

    Where the folds of its run are known, member k learned from all of them but the k-th. `given` is what is known of
    weights that are no bundle's. `warned` is what their bundle says against them.
    """

    weights: Mapping[str, Any]
    past: Past
    plan: Plan | None = None
    given: Weights | None = None
    member: int = 0
    members: int = 1
    warned: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """What they are called, without a path."""
        return self.past.of

    @property
    def licence(self) -> str:
        """The licence of weights of others, or of those that their run began from; empty where nobody knows one."""
        if self.given is not None:
            return self.given.licence
        return self.plan.reasons.get("net.init", "").partition(LICENCE)[2] if self.plan is not None else ""


def initial_weights(what: str) -> Start:
    """Return the weights of a run, a bundle, a file of one, or those of others that `weights.reader` reads.

    A file of a bundle stands for its bundle. Raises BundleError, UnknownName.
    """
    path = Path(what)
    if path.is_file() and (path.parent / MANIFEST).is_file():
        bundle = open_bundle(path.parent)
        return _of_file(path, bundle, past_of_bundle(bundle))
    if path.is_dir() and not _is_foreign(path):
        bundle = open_bundle(path)
        stage = bundle.stages[-1]
        weights = _worded(weights_of(bundle.path / stage.members[0]), stage.state.values)
        against = tuple(b.text for b in of_its_training(bundle) if b.kind == COLLAPSED)
        return Start(weights, past_of_bundle(bundle), stage.plan, members=len(stage.members), warned=against)
    return _of_others(reader.read(what))


def _is_foreign(folder: Path) -> bool:
    """Return whether a folder is neither a run's nor a bundle's, and holds something that a naming may know."""
    ours = ("run.json", "plan.json", MANIFEST, "bundle")
    return not any((folder / name).exists() for name in ours) and reader.is_known(folder)


def _of_others(given: Weights) -> Start:
    """Return weights of others; of some it is known that they never saw a case of anybody's study."""
    record = TrainedOn("", ()) if given.learned_from else None
    tensors = given.tensors if given.tokenizer is None else Worded(given.tensors, given.tokenizer)
    return Start(tensors, Past(given.origin, record=record), given=given)


def _worded(weights: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a bundle's weights with what its tokenizer learned, where it has one."""
    learned = tokenizers.held_in(values)
    return weights if learned is None else Worded(weights, learned)


def _of_file(path: Path, bundle: Bundle, past: Past) -> Start:
    """Return a file of a bundle that was named itself, with the plan of its stage."""
    for stage in bundle.stages:
        if path.name in stage.members:
            member = stage.members.index(path.name)
            weights = _worded(unpacked(open_file(path).tensors), stage.state.values)
            return Start(weights, past, stage.plan, member=member, members=len(stage.members))
    raise BundleError(
        f"{path} holds no weights of its bundle", hint=f"{path.parent}, or a file of weights in it"
    )


def same_meaning(start: Start, plan: Plan) -> None:
    """Raise PlanError where the weights' input channels are others than those planned, as far as both are known."""
    if start.plan is None or describe(start.plan.net.name).get("ROLE") in WORDY:
        return
    theirs, ours = start.plan.data, plan.data
    before, now = channel_names(theirs), channel_names(ours)
    other = bool(before and now) and [n.casefold() for n in before] != [n.casefold() for n in now]
    units = [p.fingerprint.get("unit") for p in (start.plan, plan)]
    unlike = None not in units and units[0] != units[1]
    if theirs.channels == ours.channels and not other and not unlike:
        return
    raise PlanError(
        "the weights that --init names were learned from other channels",
        found=f"{_described(theirs.channels, before, units[0])} there, {_described(ours.channels, now, units[1])} here",
        hint="weights that were learned from the same channels in the same order, or no --init",
    )


def channel_names(data: DataPlan) -> tuple[str, ...]:
    """Return what each input channel is, where the plan says so; empty where it does not."""
    names_of = getattr(data, "names_of", None)  # plans of before channels had names have it not
    names = tuple(n for k in range(len(data.images)) for n in names_of(k)) if names_of else ()
    if len(names) != data.channels and len(data.images) == data.channels > 1:
        names = data.images
    return names if len(names) == data.channels else ()


def _described(count: int, names: tuple[str, ...], unit: Any) -> str:
    many = f"{count} channel{'s' if count > 1 else ''}"
    return many + (f" ({', '.join(names)})" if names else "") + (f" in {unit}" if unit else "")


def taken_over(space: Workspace, plan: Plan, start: Start, ready: Ready, progress: Progress) -> Plan:
    """Return the plan with what was taken of the weights, and what not, as the reason of `net.init`.

    `ready` is the plan's last stage as it was timed. What is taken is said, too, and what is known of cases that the
    weights were trained on. Raises PlanError where none fits.
    """
    model = build(ready.task, plan, ready.state, 0)
    fit = fit_of(model, start.weights)
    assert_learned(model, plan.train.phases, fit.taken)
    if plan.train.lora:
        adapters.assert_learned(model, fit.taken)
    recipes.get(plan.train.recipe).assert_known(ready.task, model, fit.taken, plan.train.recipe)
    left = start.given.left_out() if start.given else ""
    said = str(fit) + (f"; not taken: {left}" if left else "")
    said += f"; member {start.member + 1} of its {start.members}" if start.members > 1 else ""
    validating = [i for fold in space.assignment.folds[: plan.train.members] for i in fold]
    seen = sum(i in space.seen and space.seen[i] != start.member for i in validating)
    if seen:
        said += (
            f"; validation is too good, as {seen} of its {counted(len(validating), 'case')} were trained on"
        )
    if start.plan is not None and start.plan.net.init:
        said += f"; its run began from {start.plan.net.init}"
    if start.licence:
        said += LICENCE + start.licence
    for text in start.warned:
        progress.note(f"{start.origin} warns: {text}")
    progress.note(f"begins from {start.origin}: {said}")
    progress.note("; ".join(filter(None, (space.overlap, f"split: {space.assignment.by}"))))
    why = plan.reasons.get("net.init", USER)
    return override(plan, {"net.init": start.origin}, reason=said if why == USER else f"{why}; {said}")


def record(space: Workspace, assignment: Assignment, start: Start | None) -> TrainedOn:
    """Return what is kept of what a run learns from, with what the weights that it begins from had learned from."""
    own = learned(space.marks, assignment)
    if start is None:
        return TrainedOn(space.cohort.hash, (own,))
    before = start.past.known(space.cohort, space.marks)
    if before is None:
        return TrainedOn(space.cohort.hash, (own,), (start.origin,))
    return TrainedOn(space.cohort.hash, (own, *before.runs), before.unknown)
