"""Recording a self-test: made-up inputs are tried, the least certain that do not hang on a hair are kept.

An input whose answer is certain hides a change: its probability stays 1. One that hangs on a hair would fail on another
machine by rounding alone. So a few seeds are tried; of each kept one it was seen that its answer stays, far within what
is allowed, when all weights are changed by as little as rounding does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from vesalius.core.bundle import BUNDLE, SCORED, Bundle, Stage, hash_when_scored, open_bundle, save_bundle
from vesalius.core.case import Case
from vesalius.core.errors import VesaliusError
from vesalius.core.marks import difference
from vesalius.core.sealed import digests
from vesalius.core.words import counted
from vesalius.infer import beside
from vesalius.infer.predictor import Predictor
from vesalius.infer.selftest import inputs, machine, record
from vesalius.infer.selftest.inputs import Made, Recipe
from vesalius.infer.selftest.observing import Observed, observe
from vesalius.infer.selftest.record import NAME, TOLERANCE, Expected, Record

KEPT = 2  # inputs, so that an answer that is always the same is told from a right one
SEEDS = 6
FAST, SLOW = 5e11, 1e13  # values times weights of one answer; about a tenth of a second, and some seconds
ROUNDING = {
    "fp32": 2.0**-19,
    "bf16": 2.0**-13,
    "graph": 2.0**-13,
}  # relative changes of weights that stand for rounding on the way
STEADY = 0.5  # of what is allowed, at most, such a change may move an answer
MARGIN = 10  # times what is allowed, at least, a called label must be from another one


@dataclass(frozen=True, eq=False)
class _Tried:
    made: Made
    case: Case
    seen: Observed

    def margins(self) -> list[float]:
        return [m.margin for m in self.seen.marks.values() if m.margin is not None]

    def words(self) -> tuple[str, ...]:
        return tuple(str(m.value) for m in self.seen.marks.values() if m.margin is not None)


def recorded(bundle: Bundle | Path | str, *, device: str | None = None) -> Bundle:
    """Record a sealed bundle's self-test anew, in its place, and return it as it is sealed then.

    Whoever changes a bundle calls this last. Whatever else is sealed into it stays; a scorecard that was of the bundle
    without this record is of the bundle with it. Raises BundleError, OutputError.
    """
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
    own = {f"{stem}-{k}" for k, s in enumerate(opened.stages) for stem in ("plan", "state", *s.extras)}
    weights = {name for stage in opened.stages for name in stage.members}
    texts = {
        name: (opened.path / name).read_text(encoding="utf-8")
        for name in digests(opened.path, BUNDLE)
        if name != BUNDLE.head and name not in weights and Path(name).stem not in own
    }
    was, stages = hash_when_scored(opened), with_record(opened, device=device)
    sealed = _saved(opened, stages, {k: v for k, v in texts.items() if k not in SCORED})
    if not any(name in texts for name in SCORED):
        return sealed
    found = {**texts, SCORED[0]: texts[SCORED[0]].replace(was, sealed.hash)} if SCORED[0] in texts else texts
    return _saved(opened, stages, found)


def _saved(bundle: Bundle, stages: tuple[Stage, ...], texts: Mapping[str, str]) -> Bundle:
    about = {"data_hash": bundle.data_hash, "made_by": bundle.made_by}
    return save_bundle(bundle.path, stages, learned=bundle.learned, texts=texts, **about)


def with_record(bundle: Bundle, *, device: str | None = None) -> tuple[Stage, ...]:
    """Return the stages of a sealed bundle, the last of them with a self-test that is recorded here and now.

    It answers a few made-up cases, which takes seconds at most unless one answer takes longer. Where a bundle cannot be
    asked about what is made up, the record says why.
    """
    *before, last = bundle.stages
    return (*before, replace(last, extras={**last.extras, NAME: made(bundle, device=device).state()}))


def made(bundle: Bundle, *, device: str | None = None) -> Record:
    """Return a self-test of a sealed bundle, recorded here and now."""
    predictor = Predictor(bundle, device=device, accept_mismatch=True)
    arithmetic = record.arithmetic_of(bundle)
    covers, about = record.covered(bundle), machine.facts(predictor.device)
    empty = Record(covers, about, tolerance=TOLERANCE[arithmetic], arithmetic=arithmetic)
    try:
        recipe = inputs.recipe_of(bundle, predictor.stages[-1].task)
        tried = list(_tried(predictor, recipe))
        chosen, why = _chosen(predictor, tried, empty)
    except VesaliusError as error:
        return replace(empty, none=str(error))
    if len(chosen) < KEPT:
        why = "its answers to made-up images change with the rounding of the arithmetic, so that none can be expected"
        return replace(empty, none=why)
    expected = tuple(Expected(one.made, one.seen.marks) for one in chosen)
    return replace(empty, recipe=recipe, inputs=expected, chosen=why)


def _tried(predictor: Predictor, recipe: Recipe) -> Iterator[_Tried]:
    """Yield answered made-up cases: fewer where one answer is much work, which does not hang on a clock."""
    last, most = predictor.stages[-1], SEEDS
    for seed in range(SEEDS):
        if seed >= most:
            return
        one, case = inputs.make(last.task, last.stage, recipe, seed)
        seen = observe(predictor, case)
        if seen.work > FAST:
            most = KEPT if seen.work > SLOW else KEPT + 2
        yield _Tried(one, case, seen)


def _chosen(predictor: Predictor, tried: Sequence[_Tried], about: Record) -> tuple[list[_Tried], str]:
    """Return the inputs to keep, the least certain first, one of them called otherwise if there is one; and why."""
    ordered = sorted(tried, key=lambda one: sum(one.margins()) / max(len(one.margins()), 1))
    sound = [o for o in ordered if all(m >= MARGIN * about.tolerance for m in o.margins())] or ordered
    kept: list[_Tried] = []
    for one in _each_called_otherwise(sound):
        if one.seen.work > SLOW or _bears_rounding(predictor, one, about):
            kept.append(one)
        if len(kept) == KEPT:
            break
    certain = "least certain" if any(one.margins() for one in tried) else "first"
    why = f"the {certain} of {counted(len(tried), 'made-up input')} whose answers do not hang on a hair"
    return kept, why


def _each_called_otherwise(ordered: Sequence[_Tried]) -> Iterator[_Tried]:
    """Yield the first, then those whose words are other than its, then the others."""
    if ordered:
        first, *others = ordered
        yield first
        yield from (one for one in others if one.words() != first.words())
        yield from (one for one in others if one.words() == first.words())


def _bears_rounding(predictor: Predictor, one: _Tried, about: Record) -> bool:
    """Return whether an answer stays where it was where all weights change by as much as rounding comes to.

    A graph's weights are not changed; where such stand beside the models, these are asked alone both times.
    """
    models = [model for loaded in predictor.stages for model in loaded.models]
    with beside.aside(models) as some:
        seen = observe(predictor, one.case) if some else one.seen
        with shaken(predictor, ROUNDING[about.arithmetic]) as changed:
            return _steady(seen, observe(changed, one.case), about.tolerance)


def _steady(seen: Observed, shaken: Observed, tolerance: float) -> bool:
    """Return whether an answer stays where it was, but for a small share of what is allowed."""
    return set(seen.marks) == set(shaken.marks) and all(
        difference(mark, shaken.marks[name]) <= STEADY * tolerance for name, mark in seen.marks.items()
    )


@contextmanager
def shaken(predictor: Predictor, share: float) -> Iterator[Predictor]:
    """Change all weights by up to that share inside this block, the same way each time, and then back to the bit."""
    models = [model for loaded in predictor.stages for model in loaded.models]
    kept = [{name: t.clone() for name, t in model.state_dict().items()} for model in models]
    generator = torch.Generator().manual_seed(0)
    try:
        with torch.no_grad():
            for model in models:
                for tensor in _floats(model):
                    noise = torch.rand(tensor.shape, generator=generator) * 2 - 1
                    tensor.mul_(1 + share * noise.to(tensor))
        yield predictor
    finally:
        for model, weights in zip(models, kept, strict=True):
            model.load_state_dict(weights)


def _floats(model: nn.Module) -> Iterator[torch.Tensor]:
    yield from (t for t in model.state_dict().values() if t.is_floating_point())
