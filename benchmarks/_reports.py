"""What a model of reports comes to on test cases: its figures, its rivals', where it looked, and what it marks."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import vesalius as vs
from benchmarks._figures import Figure, at_least, at_most
from benchmarks._planted_sentences import marked
from vesalius.core.answers.map import Map
from vesalius.core.answers.text import Text
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Case
from vesalius.core.finding import Finding
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.infer.predictor import Predictor
from vesalius.tasks._report_state import Learned, learned_in

BARS: Mapping[str, tuple[Callable[..., Figure], float]] = {
    "findings_f1": (at_least, 0.90),
    "wrong_side": (at_most, 0.01),
    "hallucinations": (at_most, 0.05),
}
WORDS = ("bleu_4", "rouge_l", "cider")
ALSO = (
    "findings_precision",
    "findings_recall",
    "named_f1",
    "sides_named",
    "sizes_within",
    "omissions",
    "bleu_1",
    "meteor",
)
MARKED, HITS = 0.95, 0.6


@dataclass(frozen=True, eq=False)
class Told:
    """What a bundle says of test cases, and what is true of them."""

    cases: tuple[Case, ...]
    answers: tuple[Text, ...]
    known: Learned


def told(run: Path, data: Path) -> Told:
    """Return the answers to the test cases of a cohort that says which they are."""
    cohort = vs.read(data)
    test = tuple(c for c in cohort.cases if c.split == "test")
    bundle = open_bundle(run / "bundle")
    predictor = Predictor(bundle, device="cpu")
    answers = []
    for case in test:
        answer = predictor(case)
        if not isinstance(answer, Text):
            raise TypeError(type(answer).__name__)
        answers.append(answer)
    known = learned_in(bundle.stages[-1].state)
    return Told(test, tuple(answers), known)


def truth_of(case: Case, known: Learned) -> tuple[Finding, ...]:
    """Return what is true of a case."""
    return known.truth(case) or ()


def figures(
    what: str, card: Scorecard, said: Told, data: Path, *, seed: int, bars: bool = True
) -> list[Figure]:
    """Return all figures of one run: those of its scorecard, of rivals beside it, of planted sentences and of looks.

    With `bars` they are held against what is asked of phantoms.
    """
    made = []
    for name in (*BARS, *WORDS, *ALSO):
        found = card.metrics[name]
        note = f"{found}, n {found.n}"
        if bars and name in BARS and found.value is not None:
            held, bar = BARS[name]
            made.append(held(f"{what}: {name}", found.value, bar, digits=4, seed=str(seed), note=note))
        else:
            value = "not defined" if found.value is None else f"{found.value:.4f}"
            made.append(Figure(f"{what}: {name}", value, seed=str(seed), note=note))
    for arm in card.rivals.get("arms", ()):
        for name in ("findings_f1", *WORDS):
            apart = arm.get("differences", {}).get(name)
            if apart is not None:
                said_of = {
                    "value": apart["difference"],
                    **{k: apart[k] for k in ("low", "high", "n", "reason")},
                }
                text = str(Interval(**said_of))
                note = "" if apart["first"] is None else f"its own {apart['first']:.4f}"
                made.append(
                    Figure(f"{what}: {name} less that of {arm['name']}", text, seed=str(seed), note=note)
                )
    return [*made, *_planted(what, said, seed), *_looked(what, said, data, seed)]


def _planted(what: str, said: Told, seed: int) -> list[Figure]:
    truths = [truth_of(c, said.known) for c in said.cases]
    found = marked(said.answers, truths, said.known, seed=seed)
    if not found:
        return []
    share = float(np.mean([m for m, _ in found]))
    right = [m for m, so in found if so]
    note = (
        f"n {len(found)}; where the model's own findings are right {np.mean(right):.3f} of {len(right)}"
        if right
        else ""
    )
    return [
        at_least(
            f"{what}: planted untrue sentences that are marked", share, MARKED, seed=str(seed), note=note
        )
    ]


def _looked(what: str, said: Told, data: Path, seed: int) -> list[Figure]:
    """Return how often the place most looked at, of a sentence about what is there, lies in its box; and by chance."""
    boxes = boxes_of(data)
    hits, chance = [], []
    for case, answer in zip(said.cases, said.answers, strict=True):
        true = {f.name for f in truth_of(case, said.known) if f.status == "present"}
        for evidence in answer.evidence:
            part = answer.parts.get(evidence.part)
            names = {f.name for f in evidence.findings if f.status == "present"} & true
            own = [box for name in names for box in boxes.get((case.id, name), ())]
            if not isinstance(part, Map) or not own:
                continue
            field = part.image.array[0]
            inside = np.zeros(field.shape, bool)
            for low, high in own:
                inside[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
            top = np.argwhere(field >= field.max())
            middle = tuple(top[np.argmin(((top - top.mean(axis=0)) ** 2).sum(axis=1))])
            hits.append(bool(inside[middle]))
            chance.append(float(inside.mean()))
    if not hits:
        return []
    note = f"chance {np.mean(chance):.3f}, {len(hits)} sentences"
    return [
        at_least(
            f"{what}: where a sentence looked lies in its finding",
            float(np.mean(hits)),
            HITS,
            seed=str(seed),
            note=note,
        )
    ]


Corner = tuple[int, int, int]


def boxes_of(data: Path) -> dict[tuple[str, str], list[tuple[Corner, Corner]]]:
    """Return the boxes of boxes.csv by case and finding, `(z, y, x)`, the high corner excluded."""
    found: dict[tuple[str, str], list[tuple[Corner, Corner]]] = {}
    path = data.parent / "boxes.csv"
    if not path.is_file():
        return found
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not row["label"]:  # a case without any
                continue
            low, high = (
                (int(float(row.get(f"z{k}") or k)), int(float(row[f"y{k}"])), int(float(row[f"x{k}"])))
                for k in (0, 1)
            )
            found.setdefault((row["case"], row["label"]), []).append((low, high))
    return found
