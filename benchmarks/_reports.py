"""What a model of reports comes to on test cases: its figures, its rivals', where it looked, and what it marks."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import vesalius as vs
from benchmarks._figures import Figure, at_least, at_most
from benchmarks._planted_sentences import marked
from vesalius.answers import contract
from vesalius.core.answers.map import Map
from vesalius.core.answers.text import Text
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Case
from vesalius.core.finding import Finding
from vesalius.core.image import Array
from vesalius.infer.predictor import Predictor
from vesalius.metrics import Rows, bounds, resample
from vesalius.prepare.case import load_reference
from vesalius.tasks._report_state import Learned, learned_in
from vesalius.tasks._report_template import template

BARS: Mapping[str, tuple[Callable[..., Figure], float]] = {
    "findings_f1": (at_least, 0.90),
    "wrong_side": (at_most, 0.01),
    "hallucinations": (at_most, 0.05),
}
WORDS = ("bleu_4", "rouge_l", "cider")
ALSO = ("findings_precision", "findings_recall", "named_f1", "sizes_within", "omissions", "bleu_1", "meteor")
MARKED, HITS = 0.95, 0.6
RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Told:
    """What a bundle says of test cases, and what is true of them."""

    cases: tuple[Case, ...]
    answers: tuple[Text, ...]
    known: Learned
    references: tuple[Array, ...]  # the images, `(Z, Y, X)`, for the nearest report


def told(run: Path, data: Path) -> tuple[Told, tuple[Case, ...]]:
    """Return the answers to the test cases of a cohort that says which they are, and the training cases."""
    cohort = vs.read(data)
    test = tuple(c for c in cohort.cases if c.split == "test")
    learned = tuple(c for c in cohort.cases if c.split != "test")
    bundle = open_bundle(run / "bundle")
    predictor = Predictor(bundle, device="cpu")
    answers = []
    for case in test:
        answer = predictor(case)
        if not isinstance(answer, Text):
            raise TypeError(type(answer).__name__)
        answers.append(answer)
    known = learned_in(bundle.stages[-1].state)
    return Told(test, tuple(answers), known, tuple(thumbnail(c) for c in test)), learned


def thumbnail(case: Case) -> Array:
    """Return a case's image on 8 places along each axis, without its mean, of length one."""
    array = load_reference(case).array.astype(np.float64).mean(axis=0)
    for axis, n in enumerate(array.shape):
        places = (np.arange(min(8, n)) + 0.5) * n / min(8, n)
        array = array.take(places.astype(int), axis=axis)
    flat = (array - array.mean()).ravel()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-12))


def rivals(said: Told, learned: Sequence[Case]) -> dict[str, list[Text]]:
    """Return of each rival its texts: the nearest training report by the image, templates of what is found and true."""
    from vesalius.texts.sections import parted

    known, sections = said.known, said.known.words.sections
    held = [c for c in learned if c.report]
    index = np.stack([thumbnail(c) for c in held])
    near: list[Text] = []
    for seen in said.references:
        whole = parted(held[int(np.argmax(index @ seen))].report or "")
        near.append(Text(sections={n: whole[n] for n in sections if n in whole}))
    oracle = [Text(sections=template(truth_of(c, known), sections, known.spoken)) for c in said.cases]
    plain = [part for a in said.answers if isinstance(part := a.parts["template"], Text)]
    return {"the nearest report": near, "the template": plain, "the oracle template": oracle}


def truth_of(case: Case, known: Learned) -> tuple[Finding, ...]:
    """Return what is true of a case."""
    return known.truth(case) or ()


def rows_of(texts: Sequence[Text], said: Told) -> Rows:
    """Return the rows of the metrics of some texts about the test cases."""
    from vesalius.texts.reference import reference_of

    handling = contract.of("Text")
    sections = said.known.words.sections
    each = []
    for text, case in zip(texts, said.cases, strict=True):
        truth = reference_of(case, said.known.terms, sections=sections)
        each.append(handling.measure(text, handling.truth(truth, case), case))
    return handling.rows(each, [c.id for c in said.cases])


def figures(
    what: str, said: Told, learned: Sequence[Case], data: Path, *, seed: int, bars: bool = True
) -> list[Figure]:
    """Return all figures of one run; `bars` holds them against what is asked of phantoms."""
    judge = contract.of("Text").judge
    own = rows_of(said.answers, said)
    patients = [c.patient or c.id for c in said.cases]
    drawn = resample(patients, np.random.default_rng(seed), RESAMPLES)
    every = np.arange(len(said.cases))
    found, spread = judge.summary(own, every), [judge.summary(own, i) for i in drawn]
    made = []
    for name in (*BARS, *WORDS, *ALSO):
        interval = bounds(found[name], np.array([s[name] for s in spread]), len(every))
        note = f"{interval}, n {len(every)}"
        if bars and name in BARS:
            held, bar = BARS[name]
            made.append(held(f"{what}: {name}", found[name], bar, digits=4, seed=str(seed), note=note))
        else:
            made.append(Figure(f"{what}: {name}", f"{found[name]:.4f}", seed=str(seed), note=note))
    for rival, texts in rivals(said, learned).items():
        other = rows_of(texts, said)
        far = [judge.summary(other, i) for i in drawn]
        theirs = judge.summary(other, every)
        for name in ("findings_f1", *WORDS):
            apart = bounds(
                found[name] - theirs[name],
                np.array([a[name] - b[name] for a, b in zip(spread, far, strict=True)]),
                len(every),
            )
            made.append(
                Figure(
                    f"{what}: {name} less that of {rival}",
                    str(apart),
                    seed=str(seed),
                    note=f"{rival} {theirs[name]:.4f}",
                )
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
            low, high = (
                (int(float(row.get(f"z{k}") or k)), int(float(row[f"y{k}"])), int(float(row[f"x{k}"])))
                for k in (0, 1)
            )
            found.setdefault((row["case"], row["label"]), []).append((low, high))
    return found
