"""What tells the label although it should not: a site, a scanner, a view, a size, a mark in a corner."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case
from vesalius.core.image import Array
from vesalius.core.words import counted, quoted
from vesalius.reliability._records import CaseRecord
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks._corners import NAMES, corners, place_of
from vesalius.reliability.looks._telling import LEAST, Told, binned, one_hot, told
from vesalius.reliability.looks.contract import Seen, Sight

ORDER = 35
TELLS = 0.6  # the interval of an AUC must begin above this
MUCH = 0.7  # … and of a covariate that may rightly tell something
NEARLY_ALL = 0.97  # … and then it follows from the label, or the label from it
WORDS = 12  # values of a column of words; more are names, or texts
TARGETS = 6
TECHNICAL = re.compile(
    r"site|scanner|centre|center|hospital|institution|vendor|manufacturer|model|device|station|camera|operator|reader"
    r"|view|projection|position|laterality|^side$|^eye$|source|origin|licen[cs]e|modality|protocol|sequence|kvp|kernel"
    r"|folder|file|format|batch|date|year|\bday|month|split|location|url",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False, slots=True)
class Clue:
    """What is known of each case beside its finding: a name, features `(N, F)`, and whether it is technical.

    `at` are the places of the cases that the features are of, where they are not of all.
    """

    name: str
    features: Array
    technical: bool
    at: Sequence[int] | None = None


def measure(sight: Sight) -> Array | None:
    """Return what stands in the corners."""
    return corners(sight)


def find(seen: Seen) -> Iterator[Finding]:
    """Yield, for each target that is a class, what tells it although it should not."""
    infos = [t for t in seen.cohort.targets.values() if kinds.of(t.kind).named]
    asked = [t for t in infos if seen.target in (None, t.name)][:TARGETS]
    for info in asked:
        rows = _rows(seen, info.name)
        labels = [f.labels[info.name] for f, _ in rows]
        if len(set(labels)) < 2 or len(labels) < 2 * LEAST:
            continue
        others = {t.name for t in seen.cohort.targets.values()}
        clues = [c for c in _clues(seen, rows, others) if np.ptp(c.features, axis=0).any()]
        for clue in clues:
            theirs = labels if clue.at is None else [labels[i] for i in clue.at]
            said = told(theirs, clue.features, tests=len(clues) * len(asked))
            if said is not None and said.beyond_chance and said.low > (TELLS if clue.technical else MUCH):
                yield _finding(info.name, clue, said)
        yield from _marks(seen, info.name, rows, labels, tests=len(clues) * len(asked))


def _rows(seen: Seen, target: str) -> list[tuple[CaseRecord, Case]]:
    """Return the cases with a word for the target, one a patient: others of the same one say nothing new."""
    cases = {c.id: c for c in seen.cohort.cases}
    found: dict[str, tuple[CaseRecord, Case]] = {}
    for f in seen.good:
        if f.case in cases and target in f.labels:
            found.setdefault(f"case {f.case}" if f.patient is None else f.patient, (f, cases[f.case]))
    return list(found.values())


def _clues(seen: Seen, rows: Sequence[tuple[CaseRecord, Case]], targets: set[str]) -> Iterator[Clue]:
    columns = dict.fromkeys(n for _, c in rows for n in c.covariates if n not in targets)
    for name in columns:
        features = _column([c.covariates.get(name) for _, c in rows])
        if features is not None:
            yield Clue(f"the column {quoted(name)}", features, bool(TECHNICAL.search(name)))
    facts: dict[str, list[str | None]] = {
        "the group": [c.group for _, c in rows],
        "the size of the image": ["×".join(map(str, f.shape)) for f, _ in rows],
        "the type of pixels": [f"{f.dtype} {len(f.channels)} {f.grey_in_colour}" for f, _ in rows],
        "the orientation": [f.orientation for f, _ in rows],
        "the modality": [f.modality for f, _ in rows],
        "which images there are": [" ".join(f.brought.images) for f, _ in rows],
        "the file's ending": [_ending(c) for _, c in rows],
    }
    known = {tuple(c.covariates.get(n) for _, c in rows) for n in columns}
    for name, words in facts.items():
        if tuple(words) not in known:
            yield Clue(name, _frequent(words), True)
    if any(f.spacing_mm is not None for f, _ in rows):
        spacing = [None if f.spacing_mm is None else float(np.prod(f.spacing_mm)) for f, _ in rows]
        yield Clue("the spacing", binned(spacing), True)
    text = seen.kept("text")
    read = [i for i, (f, _) in enumerate(rows) if f.case in text]
    if read:  # of many cases some are read, and which ones says nothing of a label
        words = [str(bool(text[rows[i][0].case])) for i in read]
        yield Clue("burned-in text", one_hot(words), True, read)


def _column(cells: Sequence[float | str | None]) -> Array | None:
    """Return a column as features; None of words that are too many to be a group each, and of empty columns."""
    held = [c for c in cells if c is not None]
    if not held:
        return None
    if all(isinstance(c, float | int) for c in held):
        numbers = [None if c is None else float(c) for c in cells]
        return binned(numbers) if len(set(held)) > WORDS else one_hot([str(c) for c in cells])
    words = [None if c is None else str(c) for c in cells]
    return one_hot(words) if len(set(held)) <= WORDS else None


def _frequent(words: Sequence[str | None]) -> Array:
    """Return one column a word for the most frequent words, and one for all others."""
    counts = {w: list(words).count(w) for w in dict.fromkeys(words)}
    usual = set(sorted(counts, key=lambda w: -counts[w])[:WORDS])
    return one_hot([w if w in usual else "\0other" for w in words])


def _ending(case: Case) -> str | None:
    image = case.images.get(case.reference) if case.reference is not None else None
    paths = getattr(image, "paths", ())
    return paths[0].suffix.lower() if paths else None


def _finding(target: str, clue: Clue, said: Told) -> Finding:
    grave = clue.technical or said.low > NEARLY_ALL
    text = f"{clue.name} tells {target} '{said.label}'"
    hint = "split by it or balance it, and look at the figures of each of its groups: a model may learn it instead"
    if not clue.technical:
        hint = (
            "right where it is known before the image; if it follows from the label, a model must not have it"
        )
    return Finding("warning" if grave else "note", "shortcut", (), text, hint, _figures(said))


def _figures(said: Told) -> str:
    return (
        f"AUC {said.auc:.2f}, {said.low:.2f} to {said.high:.2f}, out of fold on {counted(said.cases, 'case')}"
    )


def _marks(
    seen: Seen, target: str, rows: Sequence[tuple[CaseRecord, Case]], labels: Sequence[str], *, tests: int
) -> Iterator[Finding]:
    """Yield corners whose brightness, or a mark in them, tells the label."""
    kept = seen.kept("shortcuts")
    there = [(f, label, kept[f.case]) for (f, _), label in zip(rows, labels, strict=True) if f.case in kept]
    if len(there) < 2 * LEAST:
        return
    features = np.array([c for _, _, c in there])
    words = [label for _, label, _ in there]
    every = len(NAMES) * max(tests, 1)
    telling: list[tuple[bool, float, Told, int]] = []
    for corner in range(len(NAMES)):
        pair = features[:, [corner, corner + len(NAMES)]]
        said = told(words, pair, tests=every) if np.ptp(pair, axis=0).any() else None
        if said is not None and said.beyond_chance and said.low > MUCH:
            telling.append((bool(pair[:, 1].any()), said.low, said, corner))
    if telling:
        _, _, said, corner = max(telling, key=lambda t: t[:2])
        bright = features[:, corner]
        inside = np.array([w == said.label for w in words])
        sign = 1.0 if bright[inside].mean() > bright[~inside].mean() else -1.0
        order = sorted(np.flatnonzero(inside if sign > 0 else ~inside), key=lambda i: -bright[i])
        cases = {there[i][0].case: float(f"{bright[i]:.3g}") for i in order}
        marked = features[:, corner + len(NAMES)]
        share = f"a bright even mark stands there in {marked[inside].mean():.0%} of '{said.label}' and "
        share += f"{marked[~inside].mean():.0%} of the others" if marked.any() else ""
        text = f"the {NAMES[corner]} corner tells {target} '{said.label}'"
        hint = "crop or cover the corners, or balance what stands there: a model may learn it instead"
        evidence = _figures(said) + (f"; {share}" if marked.any() else "")
        places = dict.fromkeys(cases, place_of(corner))
        yield Finding("warning", "shortcut", tuple(cases), text, hint, evidence, cases, places)
