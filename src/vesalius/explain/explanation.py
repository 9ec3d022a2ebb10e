"""An explanation: what is asked of an answer, each method's map, and the measures that say whether to believe it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from vesalius.answers import contract as answers
from vesalius.core.answers import Answer
from vesalius.core.answers.map import Map
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.value import Value
from vesalius.core.ask import Ask
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.index import Index
from vesalius.core.shown import Shown, about, cut, some
from vesalius.core.words import counted
from vesalius.explain import faithful, methods, pointing, verdict
from vesalius.explain.contract import Method, PartMethod, PartSetting, Setting
from vesalius.explain.looking import Picture, picture_of, source_of
from vesalius.explain.nearest import Nearest, nearest
from vesalius.explain.parts import Bars, PartQuestion
from vesalius.explain.pointing import Part, Pointed
from vesalius.explain.question import Question, Watch
from vesalius.explain.stand_in import USUAL, stand_in
from vesalius.infer import runs
from vesalius.infer.predictor import Asked, Predictor
from vesalius.infer.runs.contract import Grid
from vesalius.prepare import geometry
from vesalius.prepare.batch import Example, main_image, part_of

Check = Literal["none", "usual", "full"]


@dataclass(frozen=True, eq=False)
class Explained:
    """One method's map, `fails` with the reason why it is not to be shown, None where it holds.

    `pointed` is where it points, for each part of what is drawn on the image beside what is asked. `on` is the image
    that it lies on where that is not the reference itself, such as one frame of it or another source's image, and
    `of` says which in words.
    """

    method: str
    map: Map
    fails: str | None
    pointed: tuple[Pointed, ...] = ()
    on: Image | None = None
    of: str = ""


@dataclass(frozen=True, eq=False)
class Parted:
    """One method's bars for whole parts of a case: its sources, or the steps of each source that has several."""

    method: str
    bars: tuple[Bars, ...]

    @property
    def fails(self) -> str | None:
        """Why none of the bars holds; None where one does."""
        reasons = [f"{b.of}: {b.fails}" if b.of and len(self.bars) > 1 else b.fails for b in self.bars]
        return None if any(b.fails is None for b in self.bars) else "; ".join(str(r) for r in reasons)

    def answer(self, explained: Answer) -> Numbers:
        """Return the bars that hold as numbers by name, about the same case as the answer that is explained."""
        held = [b for b in self.bars if b.fails is None]
        named = {
            (f"{bars.of}: {name}" if bars.of and len(held) > 1 else name): float(value)
            for bars in held
            for name, value in zip(bars.names, bars.values, strict=True)
        }
        parts = {name: Value(x=x, quantity=name, case_id=explained.case_id) for name, x in named.items()}
        return Numbers(
            case_id=explained.case_id, source=explained.source, bundle=explained.bundle, parts=parts
        )


@dataclass(frozen=True, eq=False)
class Explanation(Shown):
    """What was asked of an answer, and what each method says of it.

    `refused` are methods that cannot explain this model, each with the reason. `agreement` is the rank correlation of
    every two maps that hold, over the same pieces of the image. `nearest` are the training cases that the model sees
    most like this one, or in words why they are not known; None where they were not asked for. `notes` say what is
    drawn on the image and could not be held against the maps. `parted` are bars of whole parts of the case, in the
    same order of methods; `example` is the case as the models see it.
    """

    answer: Answer
    asked: Ask
    reference: Image
    explained: tuple[Explained, ...]
    refused: Mapping[str, str]
    agreement: Mapping[tuple[str, str], float]
    nearest: Nearest | str | None = None
    notes: tuple[str, ...] = ()
    parted: tuple[Parted, ...] = ()
    example: Example | None = None

    @property
    def holds(self) -> tuple[Explained, ...]:
        """The maps that may be shown."""
        return tuple(e for e in self.explained if e.fails is None)

    def _words(self) -> Iterable[str]:
        yield about(self.answer.case_id)
        yield f"asked about {cut(self.asked.words, 30)}"
        tried = len(self.explained) + len(self.parted) + len(self.refused)
        held = [e.method for e in self.holds] + [p.method for p in self.parted if p.fails is None]
        yield f"{len(held)} of {counted(tried, 'method')} hold: {some(held, tried)}"


@dataclass(frozen=True, eq=False)
class Choices:
    """How to explain: samples (None is each method's own), pieces, the stand-in, the seed, and how much to check."""

    samples: int | None = None
    pieces: int = 60
    away: str = USUAL
    seed: int = 0
    check: Check = "usual"


USUALLY = Choices()


@dataclass(frozen=True, eq=False)
class _Posed:
    """The question to one model, where it begins on the prepared grid, and the case as that model is given it."""

    question: Question
    start: Grid
    given: Asked
    shape: Grid
    picture: Picture | None = None

    def setting(self, method: Method | None, choices: Choices) -> Setting:
        """Return how a method explains it; None is how maps are measured."""
        return Setting(
            stand_in(self.question, choices.away),
            choices.samples or (method.samples if method else 0),
            choices.seed,
            choices.pieces,
            self.given.undo.turned_spacing_mm,
        )


def explain(
    predictor: Predictor,
    case: Case,
    names: Sequence[str],
    *,
    ask: str | None = None,
    choices: Choices = USUALLY,
    watch: Watch | None = None,
    index: Index | str | None = None,
    against: Predictor | None = None,
) -> Explanation:
    """Return what each named method says an answer rests on. `ask` is as a person says it (see `answers.contract.ask`).

    `watch` is told of the images that go through a network; what it raises ends the work. `index` is that of the
    training cases, or says why there is none. `against` is a model of the same question that learned from labels in a
    random order: a map that is the same of both does not hold. Raises UnknownName for a method that is not there, and
    DataError where what is asked is not in the answer, no method fits the model, or `against` answers something else;
    and where the answer is withheld and nothing is asked, for what it says most of would tell the answer.
    """
    chosen = {name: methods.get(source_of(name)[0]) for name in names}
    given = predictor.asked(case)
    if given.answer.withheld is not None and ask is None:
        raise DataError(
            "the answer is withheld, and with it what it says most of",
            found=given.answer.withheld,
            hint="ask about a label by its name",
        )
    asked = answers.ask(given.answer, ask)
    asking = _Asking(predictor, case, given, asked, watch)
    refused = {name: why for name, method in chosen.items() if (why := asking.refuses(name, method))}
    if len(refused) == len(chosen):
        raise DataError(
            "no method that was named can explain this model",
            found="; ".join(f"{name}: {why}" for name, why in refused.items()),
            hint="--method columns" if asking.parts.columns else "--method shap-kernel",
        )
    other = None if against is None else _other(against, case, given, asked, watch)
    target = predictor.stages[-1].stage.plan.task.target or ""
    parts, notes = pointing.drawn(case, given.whole, but=target)
    contexts: dict[str | None, _Context] = {}
    made, parted = [], []
    for name, method in chosen.items():
        if name in refused:
            continue
        if isinstance(method, PartMethod):
            setting = PartSetting(choices.samples, choices.seed, choices.check)
            parted.append(Parted(name, method.attribute(asking.parts, setting)))
            continue
        source = source_of(name)[1]
        posed = asking.posed(source)
        assert isinstance(posed, _Posed)
        if source not in contexts:
            drawn = parts if posed.given.whole.array.shape == given.whole.array.shape else ()
            theirs = None if other is None else other.same(posed, source)
            contexts[source] = _Context(asked, choices, _marks(posed, choices), drawn, theirs)
        made.append((*_explained(name, method, posed, contexts[source]), posed))
    held = [one for one in made if one[0].fails is None]
    pairs = {
        (a.method, b.method): verdict.alike_in_pieces(p.question, p.setting(None, choices), f, g)
        for (a, f, p), (b, g, q) in itertools.combinations(held, 2)
        if p is q
    }
    near = nearest(index, given) if isinstance(index, Index) else index
    told = tuple(e for e, *_ in made)
    reference = next((e.on for e in told if e.on is not None), given.whole)
    return Explanation(
        given.answer, asked, reference, told, refused, pairs, near, notes, tuple(parted), given.example
    )


def _marks(posed: _Posed, choices: Choices) -> Mapping[str, float]:
    """Return what gains are held against."""
    return {} if choices.check == "none" else verdict.yardsticks(posed.question, posed.setting(None, choices))


class _Asking:
    """The questions to one predictor about a case: to each of its pictures, and to its sources and their steps."""

    def __init__(
        self, predictor: Predictor, case: Case, given: Asked, asked: Ask, watch: Watch | None
    ) -> None:
        self.predictor, self.case, self.given, self.asked, self.watch = predictor, case, given, asked, watch
        self.joined = bool(given.members.task.sources(given.state))
        self._posed: dict[str | None, _Posed | str] = {}

    @cached_property
    def parts(self) -> PartQuestion:
        """The question to the case with sources or steps left out."""
        given = self.given
        return PartQuestion(given.members, given.example, self.asked, given.state, watch=self.watch)

    def refuses(self, name: str, method: Method | PartMethod) -> str | None:
        """Return in a sentence why a method cannot explain the model or the case; None where it can."""
        source = source_of(name)[1]
        if isinstance(method, PartMethod):
            if source is not None:
                return "it looks at all sources together"
            return method.refuses(self.parts)
        posed = self.posed(source)
        return posed if isinstance(posed, str) else method.refuses(posed.question)

    def posed(self, source: str | None) -> _Posed | str:
        """Return the question about a picture of a source, by default the reference, or why there is none."""
        if source not in self._posed:
            self._posed[source] = self._pose(source)
        return self._posed[source]

    def same(self, posed: _Posed, source: str | None) -> _Posed | str:
        """Return the question about the picture that another model was asked about."""
        own = self.posed(source)
        if isinstance(own, str) or posed.picture is None or own.picture is None:
            return own
        if own.question.seen == posed.question.seen:
            return own
        question = Question(
            own.given.members, own.given.example, self.asked, watch=self.watch, seen=posed.question.seen
        )
        return replace(own, question=question, picture=posed.picture)

    def _pose(self, source: str | None) -> _Posed | str:
        if not self.joined:
            if source is not None:
                return "the model sees one image, and no several sources"
            if not self.given.example.images:
                return "the model reads a table, and there is no image on which a map could lie"
            question, start = _question(self.given, self.asked, self.watch)
            return _Posed(question, start, self.given, main_image(self.given.example).shape[-3:])
        found = picture_of(self.predictor, self.case, self.given, source, self.parts)
        if isinstance(found, str):
            return found
        question = Question(
            found.given.members, found.given.example, self.asked, watch=self.watch, seen=found.seen
        )
        z, y, x = question.image.shape[1:]
        return _Posed(question, (0, 0, 0), found.given, (z, y, x), found)


def _other(against: Predictor, case: Case, given: Asked, asked: Ask, watch: Watch | None) -> _Asking:
    """Return the same questions to another model. Raises DataError where that answers something else."""
    other = against.asked(case)
    one, two = (
        (type(a.answer).__name__, [x.name for x in getattr(a.answer, "labels", ())]) for a in (given, other)
    )
    if one != two or given.members.task.name != other.members.task.name:
        raise DataError(
            "the model to compare with answers another question",
            found=f"{two[0]} {', '.join(two[1])}".rstrip(),
            hint=f"one that learned the same from other labels: {one[0]} {', '.join(one[1])}".rstrip(),
        )
    return _Asking(against, case, other, asked, watch)


def _question(given: Asked, asked: Ask, watch: Watch | None) -> tuple[Question, Grid]:
    """Return the question on what one pass of the models sees, and where that begins on the prepared grid."""
    where, box = _prepared(asked.where, given), _prepared_box(asked.box, given)
    array = main_image(given.example)
    shape = (int(array.shape[-3]), int(array.shape[-2]), int(array.shape[-1]))
    run = runs.get(given.members.task.run)
    start, size = run.window(given.members.plan, shape, where if box is None else _around(box, shape))
    if box is not None:
        box = box - np.asarray(start)
    if where is not None:
        where = where[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))]
    example = part_of(given.example, start, size)
    return Question(given.members, example, replace(asked, where=where, box=box), watch=watch), start


def _prepared(where: Array | None, given: Asked) -> Array | None:
    """Return what is asked about, bits on the whole reference's grid, on the prepared one."""
    if where is None:
        return None
    low, shape = given.low, given.reference.shape
    part = np.asarray(where)[tuple(slice(a, a + n) for a, n in zip(low, shape, strict=True))]
    return geometry.forward_labels(part.astype(np.uint8), given.undo) > 0


def _prepared_box(box: Array | None, given: Asked) -> Array | None:
    """Return the corners of a box on the whole reference's grid, on the prepared one."""
    if box is None:
        return None
    return np.sort(geometry.forward_points(np.asarray(box) - np.asarray(given.low), given.undo), axis=0)


def _around(box: Array, shape: Grid) -> Array:
    """Return bits on the prepared grid, of the one point that is in the middle of a box."""
    bits = np.zeros(shape, dtype=bool)
    bits[tuple(int(np.clip(m, 0, n - 1)) for m, n in zip(box.mean(axis=0), shape, strict=True))] = True
    return bits


@dataclass(frozen=True, eq=False)
class _Context:
    """What all methods share: what is asked, how, what a gain is held against, what is drawn, and the other model."""

    asked: Ask
    choices: Choices
    marks: Mapping[str, float]
    parts: tuple[Part, ...]
    other: _Posed | str | None


def _explained(name: str, method: Method, posed: _Posed, context: _Context) -> tuple[Explained, Array]:
    """Return a method's map, and its field on the question's grid."""
    question, given, choices = posed.question, posed.given, context.choices
    setting = posed.setting(method, choices)
    before = question.passes
    found = method.attribute(question, setting)
    figures = {**found.figures, "passes": float(question.passes - before)}
    image = _native(found.field, posed)
    if choices.check != "none":
        full = choices.check == "full"
        figures |= {**context.marks, **verdict.measured(method, question, setting, found, full=full)}
    facts = {"method": name, "asked": context.asked.words, "stand_in": choices.away}
    facts["samples"] = str(setting.samples)
    if posed.picture is not None:
        facts["of"] = posed.picture.words
    if context.other is not None:
        same = _same_of(method, image, context.other, choices)
        if isinstance(same, str):
            facts["other_labels"] = same
        else:
            figures["same_with_other_labels"] = same
    fails = verdict.fault(figures, found.field)
    field = Map(
        image=image,
        quantity=f"relevance for {context.asked.words}" + ("" if fails is None else ", which does not hold"),
        figures={k: round(v, 6) for k, v in figures.items() if math.isfinite(v)},
        facts=facts | ({} if fails is None else {"fails": fails}),
        beside={} if found.beside is None else _named(found.beside, given),
        case_id=given.answer.case_id,
        source=given.answer.source,
        bundle=given.answer.bundle,
        by=given.answer.by,
        outside=given.answer.outside,
    )
    placed: Map = answers.of(field).placed(field, given.low, given.whole)
    pointed = tuple(pointing.pointed(placed.image.array[0], part) for part in context.parts)
    if posed.picture is None:
        return Explained(name, placed, fails, pointed), found.field
    return Explained(name, placed, fails, pointed, given.whole, posed.picture.words), found.field


def _same_of(method: Method, image: Image, other: _Posed | str, choices: Choices) -> float | str:
    """Return the rank correlation, without its sign, of a map with the same method's of another model; or why not."""
    if isinstance(other, str):
        return other
    refused = method.refuses(other.question)
    if refused is not None:
        return refused
    theirs = method.attribute(other.question, other.setting(method, choices)).field
    one, two = image.array, _native(theirs, other).array
    both = np.isfinite(one) & np.isfinite(two) if one.shape == two.shape else np.zeros(0, bool)
    if not both.any():
        return "the other model looked at another part of the image"
    return abs(faithful.alike(one[both], two[both]))


def _native(field: Array, posed: _Posed) -> Image:
    """Return a field on the question's grid as an image on the reference's; NaN where the question did not look."""
    given = posed.given
    z, y, x = (slice(a, a + n) for a, n in zip(posed.start, field.shape, strict=True))
    whole, seen = np.zeros((1, *posed.shape), np.float32), np.zeros((1, *posed.shape), np.float32)
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
