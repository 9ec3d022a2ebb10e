"""An explanation: what is asked of an answer, each method's map, and the measures that say whether to believe it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vesalius.answers import contract as answers
from vesalius.core.answers import Answer
from vesalius.core.answers.map import Map
from vesalius.core.ask import Ask
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.index import Index
from vesalius.core.shown import Shown, about, cut, some
from vesalius.core.words import counted
from vesalius.explain import faithful, methods
from vesalius.explain.contract import Attribution, Method, Setting
from vesalius.explain.nearest import Nearest, nearest
from vesalius.explain.question import Question, Watch
from vesalius.explain.stand_in import USUAL, stand_in
from vesalius.infer import runs
from vesalius.infer.predictor import Asked, Predictor
from vesalius.infer.runs.contract import Grid
from vesalius.prepare import geometry
from vesalius.prepare.batch import main_image, part_of

Check = Literal["none", "usual", "full"]
SAME = 0.5  # rank correlation from which a map of a model that learned nothing is the same map


@dataclass(frozen=True, eq=False)
class Explained:
    """One method's map, `fails` with the reason why it is not to be shown, None where it holds."""

    method: str
    map: Map
    fails: str | None


@dataclass(frozen=True, eq=False)
class Explanation(Shown):
    """What was asked of an answer, and what each method says of it.

    `refused` are methods that cannot explain this model, each with the reason. `agreement` is the rank correlation of
    every two maps that hold. `nearest` are the training cases that the model sees most like this one, or in words why
    they are not known; None where they were not asked for.
    """

    answer: Answer
    asked: Ask
    reference: Image
    explained: tuple[Explained, ...]
    refused: Mapping[str, str]
    agreement: Mapping[tuple[str, str], float]
    nearest: Nearest | str | None = None

    @property
    def holds(self) -> tuple[Explained, ...]:
        """The maps that may be shown."""
        return tuple(e for e in self.explained if e.fails is None)

    def _words(self) -> Iterable[str]:
        yield about(self.answer.case_id)
        yield f"asked about {cut(self.asked.words, 30)}"
        tried = len(self.explained) + len(self.refused)
        yield f"{len(self.holds)} of {counted(tried, 'method')} hold: {some((e.method for e in self.holds), tried)}"


@dataclass(frozen=True, eq=False)
class Choices:
    """How to explain: samples (None is each method's own), pieces, the stand-in, the seed, and how much to check."""

    samples: int | None = None
    pieces: int = 60
    away: str = USUAL
    seed: int = 0
    check: Check = "usual"


USUALLY = Choices()


def explain(
    predictor: Predictor,
    case: Case,
    names: Sequence[str],
    *,
    ask: str | None = None,
    choices: Choices = USUALLY,
    watch: Watch | None = None,
    index: Index | str | None = None,
) -> Explanation:
    """Return what each named method says an answer rests on. `ask` is as a person says it (see `answers.contract.ask`).

    `watch` is told of the images that go through a network; what it raises ends the work. `index` is that of the
    training cases, or says why there is none. Raises UnknownName for a
    method that is not there, and DataError where what is asked is not in the answer or no method fits the model.
    """
    chosen = {name: methods.get(name) for name in names}
    given = predictor.asked(case)
    asked = answers.ask(given.answer, ask)
    question, start = _question(given, asked, watch)
    refused = {name: why for name, method in chosen.items() if (why := method.refuses(question))}
    if len(refused) == len(chosen):
        raise DataError(
            "no method that was named can explain this model",
            found="; ".join(f"{name}: {why}" for name, why in refused.items()),
            hint="--method shap-kernel",
        )
    marks = _yardsticks(question, choices) if choices.check != "none" else {}
    made = [
        _explained(name, method, question, start, given, choices, marks)
        for name, method in chosen.items()
        if name not in refused
    ]
    held = [e for e in made if e.fails is None]
    pairs = {
        (a.method, b.method): faithful.alike(*_same(a.map.image.array, b.map.image.array))
        for a, b in itertools.combinations(held, 2)
    }
    near = nearest(index, given) if isinstance(index, Index) else index
    return Explanation(given.answer, asked, given.whole, tuple(made), refused, pairs, near)


def _question(given: Asked, asked: Ask, watch: Watch | None) -> tuple[Question, Grid]:
    """Return the question on what one pass of the models sees, and where that begins on the prepared grid."""
    where = _prepared(asked.where, given)
    array = main_image(given.example)
    shape = (int(array.shape[-3]), int(array.shape[-2]), int(array.shape[-1]))
    run = runs.get(given.members.task.run)
    start, size = run.window(given.members.plan, shape, where)
    if where is not None:
        where = where[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))]
    example = part_of(given.example, start, size)
    return Question(given.members, example, replace(asked, where=where), watch=watch), start


def _prepared(where: Array | None, given: Asked) -> Array | None:
    """Return what is asked about, bits on the whole reference's grid, on the prepared one."""
    if where is None:
        return None
    low, shape = given.low, given.reference.shape
    part = np.asarray(where)[tuple(slice(a, a + n) for a, n in zip(low, shape, strict=True))]
    return geometry.forward_labels(part.astype(np.uint8), given.undo) > 0


def _yardsticks(question: Question, choices: Choices) -> dict[str, float]:
    """Return what a map's gain is held against: that of random maps, and of one that points at the middle."""
    setting = Setting(stand_in(question, choices.away), seed=choices.seed)
    middle = faithful.middle(question.image.shape[1:])
    return {
        "gain_by_chance": faithful.by_chance(question, setting),
        "gain_of_the_middle": faithful.gain(question, setting, middle)["gain"],
    }


def _explained(
    name: str,
    method: Method,
    question: Question,
    start: Grid,
    given: Asked,
    choices: Choices,
    marks: Mapping[str, float],
) -> Explained:
    words, samples = question.ask.words, choices.samples or method.samples
    setting = Setting(
        stand_in(question, choices.away), samples, choices.seed, choices.pieces, given.undo.turned_spacing_mm
    )
    before = question.passes
    found = method.attribute(question, setting)
    figures = {**found.figures, "passes": float(question.passes - before)}
    fails = None
    if choices.check != "none":
        figures |= {**marks, **_measured(method, question, setting, found, full=choices.check == "full")}
        fails = _fault(figures)
    beside = {} if found.beside is None else _named(found.beside, given)
    image = _native(found.field, start, given)
    field = Map(
        image=image,
        quantity=f"relevance for {words}",
        figures={k: round(v, 6) for k, v in figures.items() if math.isfinite(v)},
        facts={
            "method": name,
            "asked": words,
            "stand_in": choices.away,
            "samples": str(samples),
        }
        | ({} if fails is None else {"fails": fails}),
        beside=beside,
        case_id=given.answer.case_id,
        source=given.answer.source,
        bundle=given.answer.bundle,
        by=given.answer.by,
        outside=given.answer.outside,
    )
    return Explained(name, answers.of(field).placed(field, given.low, given.whole), fails)


def _measured(
    method: Method, question: Question, setting: Setting, found: Attribution, *, full: bool
) -> dict[str, float]:
    """Return how faithful a map is."""

    def again(other: Question) -> Array:
        return method.attribute(other, setting).field

    figures = faithful.gain(question, setting, found.field)
    others = [again(faithful.with_other_weights(question, seed)) for seed in (1, 2)]
    figures["same_without_learning"] = float(np.mean([abs(faithful.alike(found.field, f)) for f in others]))
    if full:
        figures["infidelity"] = faithful.infidelity(question, setting, found.field)
        figures["stability"] = faithful.stability(question, again, found.field, seed=setting.seed)
        other = method.attribute(question, replace(setting, seed=setting.seed + 1)).field
        figures["same_from_another_seed"] = faithful.alike(found.field, other)
    return figures


def _fault(figures: Mapping[str, float]) -> str | None:
    """Return why a map is not to be shown; None where it holds."""
    if math.isnan(figures["gain"]):
        return "what is asked is answered alike without the image"
    if figures["same_without_learning"] >= SAME:
        return (
            "a model that learned nothing gives nearly the same map "
            f"(rank correlation {figures['same_without_learning']:.2f})"
        )
    if figures["gain"] <= figures["gain_of_the_middle"]:
        return (
            f"it is no better than pointing at the middle of the image (gain {figures['gain']:.2f}, "
            f"the middle {figures['gain_of_the_middle']:.2f})"
        )
    return None


def _native(field: Array, start: Grid, given: Asked) -> Image:
    """Return a field on the question's grid as an image on the reference's; NaN where the question did not look."""
    shape = main_image(given.example).shape[-3:]
    z, y, x = (slice(a, a + n) for a, n in zip(start, field.shape, strict=True))
    whole, seen = np.zeros((1, *shape), np.float32), np.zeros((1, *shape), np.float32)
    whole[0, z, y, x], seen[0, z, y, x] = field, 1.0
    array = geometry.backward(whole, given.undo)
    if not bool((seen == 1).all()):
        array = np.where(geometry.backward(seen, given.undo) > 0.5, array, np.nan)
    image = given.reference
    return replace(
        image,
        array=np.ascontiguousarray(array, dtype=np.float32),
        channels=(),
        unit=None,
        times_s=None,
        display={},
    )


def _named(values: Array, given: Asked) -> dict[str, float]:
    """Return what speaks of each covariate by its name; numbers where the task names fewer than it encodes."""
    names = given.members.task.features(given.state)
    if len(names) != len(values):
        names = tuple(f"covariate {k + 1}" for k in range(len(values)))
    found: dict[str, float] = {}
    for name, value in zip(names, values, strict=True):
        found[name] = found.get(name, 0.0) + float(value)
    return found


def _same(one: Array, other: Array) -> tuple[Array, Array]:
    """Return two fields where both say something."""
    both = np.isfinite(one) & np.isfinite(other)
    return one[both], other[both]
