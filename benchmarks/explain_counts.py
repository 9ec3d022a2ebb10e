"""Whether maps of a box's score, a count and a grade lie on what is asked about. Three fits, about 50 minutes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import vesalius as vs
from benchmarks import _beside, _fits, _quick
from benchmarks._figures import Figure, at_least
from benchmarks.explain_faith import bounded, untrained
from vesalius.core.answers import Answer
from vesalius.core.answers.boxes import Boxes
from vesalius.core.case import Box, Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.registry import names
from vesalius.explain import methods
from vesalius.explain.explanation import Choices, Explained, explain
from vesalius.explain.pointing import Part, Pointed, pointed
from vesalius.infer.predictor import Predictor
from vesalius.metrics._matching import corners, overlaps
from vesalius.phantom import chest
from vesalius.prepare.case import load_reference, with_reference
from vesalius.run.finished import bundle_of

SECTION = "Boxes, counts, numbers and grades"
SOAK = True
SEEDS = (0,)
GAINS = ("gain", "gain_by_chance")
ABOVE = 2.0  # how many times as much of a map lies inside as would by chance, for the best method
FOUND = 0.5  # intersection over union from which a box has found a true one of its label
SMALL = "platelet"
MOST = 0.35  # of a picture: findings that cover more are not pointed at
Asks = Callable[[Answer, Sequence[Box]], tuple[str, Sequence[Box]] | None]  # words, and where it should point


def a_box(answer: Answer, true: Sequence[Box]) -> tuple[str, Sequence[Box]] | None:
    """Ask about the surest box that has found a true one."""
    assert isinstance(answer, Boxes)
    real = corners(true)
    for k in answer.called:
        fits = overlaps(corners([answer.boxes[k]]), real, np.zeros(len(real), bool))[0]
        fits *= [box.label == answer.boxes[k].label for box in true]
        if len(fits) and fits.max() >= FOUND:
            return f"box={k + 1}", [true[int(fits.argmax())]]
    return None


def a_count(answer: Answer, true: Sequence[Box]) -> tuple[str, Sequence[Box]] | None:
    """Ask about the count of platelets, where there are any."""
    own = [box for box in true if box.label == SMALL]
    return (f"number={SMALL}", own) if own else None


def a_grade(answer: Answer, true: Sequence[Box]) -> tuple[str, Sequence[Box]] | None:
    """Ask about the mean grade, where there are findings."""
    return ("mean_grade", true) if true else None


@dataclass(frozen=True)
class Topic:
    """A fit on a phantom, and what is asked of its answers."""

    name: str
    kind: str
    cases: int
    limit: str
    words: tuple[str, ...]
    asks: Asks
    options: Mapping[str, Any] = field(default_factory=lambda: {"size": 192})
    asked: int = 16  # test cases
    chosen_on: int = 8  # validation cases


ORDER = "<".join(chest.GRADES)
TOPICS = (
    Topic("a box's score", "smear", 300, "12m", ("--target", "boxes", "--task", "detect"), a_box),
    Topic("a count", "smear", 300, "10m", ("--target", "boxes", "--task", "count"), a_count),
    Topic(
        "a grade",
        "chest",
        600,
        "12m",
        ("--target", "severity", "--column", "grade=severity", "--labels", f"severity={ORDER}"),
        a_grade,
    ),
)


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Fit each topic, resumed where it was; choose the method on validation cases, and point on test cases."""
    rows: list[Figure] = []
    for topic in TOPICS:
        if quick:
            topic = replace(topic, cases=24, options={"size": 64}, asked=1, chosen_on=1)
        place = folder if quick else _fits.KEPT
        data = place / f"explain-counts-{topic.kind}"
        out = place / f"explain-counts-{topic.name.split()[-1]}-{seeds[0]}"
        if not (data / "truth.json").is_file():
            vs.phantom(data, kind=topic.kind, cases=topic.cases, seed=seeds[0], options=topic.options)
        options = (*topic.words, "--set", "train.members=1", *(_quick.OPTIONS if quick else ()))
        limit = _quick.LIMIT if quick else topic.limit
        _fits.resumed(data, out, limit=limit, seed=seeds[0], options=options, test_split=not quick)
        rows += figures(topic, data, out, quick=quick)
    return rows


def figures(topic: Topic, data: Path, out: Path, *, quick: bool = False) -> list[Figure]:
    """What the maps of one topic say: how much lies inside, by each method, and by a model that learned nothing."""
    dealt = json.loads((out / "folds.json").read_text(encoding="utf-8"))
    predictor = Predictor(bundle_of(out))
    true = {case: _beside.boxes_told(told) for case, told in _beside.truths(data).items()}
    by = {c.id: c for c in vs.read(data).cases}
    few = Choices(check="usual", samples=12 if quick else None, pieces=60)
    every = list(names(methods.KIND))
    asked = _asked(topic, predictor, [by[k] for k in dealt["test"]], true, topic.asked)
    own = _asked(topic, predictor, [by[k] for k in dealt["folds"][0]], true, topic.chosen_on)
    if not asked or not own:
        return [Figure(f"{topic.name}: nothing to ask about", "none of the cases has it")]
    chosen = _pointed(predictor, own, every, replace(few, check="none"))
    best = max(chosen, key=lambda n: float(np.mean([p.share for p, _ in chosen[n]])))
    found = _pointed(predictor, asked, every, few)
    nothing = _pointed(untrained(predictor), asked, [best], replace(few, check="none"))
    rows = []
    for name, held in found.items():
        shares, chance = [p.share for p, _ in held], float(np.mean([p.by_chance for p, _ in held]))
        gains = {key: np.mean([e.map.figures.get(key, np.nan) for _, e in held]) for key in GAINS}
        holds = np.mean([e.fails is None for _, e in held])
        note = (
            f"by chance {chance:.3f}, of the middle {np.mean([p.middle_share for p, _ in held]):.3f}; "
            f"gain {gains['gain']:.3f}, by chance {gains['gain_by_chance']:.3f}; {holds:.0%} of the maps hold"
        )
        value = bounded(shares, [a.case for a in asked])
        rows.append(Figure(f"{topic.name}: share of {name} inside", value, note=note))
        if name == best:
            note = f"the best of {len(chosen)} on {len(own)} validation cases; {len(asked)} test cases"
            ratio = float(np.mean(shares)) / max(chance, 1e-9)
            rows.append(at_least(f"{topic.name}: {name} inside, times chance", ratio, ABOVE, note=note))
    other = float(np.mean([p.share for p, _ in nothing[best]])) if nothing.get(best) else float("nan")
    return [*rows, Figure(f"{topic.name}: share of {best} inside, of shuffled weights", f"{other:.3f}")]


@dataclass(frozen=True, eq=False)
class _Asked:
    """A case, what is asked about it, and where that lies, `(Z, Y, X)` of bits."""

    case: Case
    words: str
    bits: Array


def _asked(
    topic: Topic, predictor: Predictor, cases: Sequence[Case], true: Mapping[str, Sequence[Box]], most: int
) -> list[_Asked]:
    """Return the first cases of which something can be asked."""
    found: list[_Asked] = []
    for case in cases:
        if len(found) == most:
            break
        said = topic.asks(predictor(case), true[case.id])
        bits = None if said is None else _bits(load_reference(case), said[1])
        if said is not None and bits is not None and bits.mean() <= MOST:
            found.append(_Asked(with_reference(case), said[0], bits))
    return found


def _bits(image: Image, boxes: Sequence[Box]) -> Array:
    bits = np.zeros(image.shape, dtype=bool)
    for box in boxes:
        bits[tuple(slice(int(a), int(np.ceil(b))) for a, b in zip(box.low, box.high, strict=True))] = True
    return bits


def _pointed(
    predictor: Predictor, asked: Sequence[_Asked], every: Sequence[str], few: Choices
) -> dict[str, list[tuple[Pointed, Explained]]]:
    """Return where the maps of each method point; a method that refuses one of the cases is left out."""
    found: dict[str, list[tuple[Pointed, Explained]]] = {}
    for one in asked:
        try:
            made = explain(predictor, one.case, every, ask=one.words, choices=few)
        except DataError:  # a model without training may have no such box
            continue
        for e in made.explained:
            part = Part("what is asked about", one.bits)
            found.setdefault(e.method, []).append((pointed(e.map.image.array[0], part), e))
    whole = max((len(v) for v in found.values()), default=0)
    return {name: held for name, held in found.items() if len(held) == whole}
