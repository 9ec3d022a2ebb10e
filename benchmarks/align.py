"""Words and images: findings asked for in words, large and small ones apart, where they are pointed at, and search.

The cohorts are those of `phantom/reports/published.py`, whose test writers and seeds differ from training's. Nothing is
learned from but reports. Resumable: what is finished under `runs/benchmarks` is taken again. About an hour a seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import _fits, _quick, _word_search
from benchmarks._figures import Figure, at_least
from vesalius import cohorts
from vesalius.core.answers.map import Map
from vesalius.core.answers.scores import Scores
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Case
from vesalius.core.image import Array
from vesalius.infer.predictor import Predictor
from vesalius.metrics import Interval, bounds, rank_auc, resample
from vesalius.phantom import make
from vesalius.phantom.reports import published

SECTION = "Reports"
SOAK = False
SEEDS = (0,)
LIMIT = "40m"
STRUCTURES = {
    "chest": ("cardiomegaly", "effusion"),
    "ct": ("effusion", "steatosis"),
}  # large, or of a whole organ
LESION = "nodule"
BANDS = ((0.0, 12.0), (12.0, 20.0), (20.0, float("inf")))  # mm, of a case's largest
BOUND, BOUND_POINTED = 0.95, 0.8
EVERY_MAP = ("--set", "task.options.maps=32")
RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Asked:
    """What a bundle says of test cases, and what is truly in each."""

    cases: tuple[Case, ...]
    answers: tuple[Scores, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The findings that were asked for."""
        return tuple(x.name for x in self.answers[0].labels)

    def p(self, name: str) -> Array:
        """Return the probability of a finding in each case, `(N,)`."""
        return np.array([a.p[self.names.index(name)] for a in self.answers])

    def there(self, name: str) -> Array:
        """Return in which cases a finding truly is, `(N,)`."""
        return np.array([_there(case, name) for case in self.cases])

    def size_mm(self, name: str) -> Array:
        """Return how large a case's largest finding of that name is, `(N,)`; 0 where there is none."""
        return np.array(
            [
                max(
                    (f.size_mm or 0.0 for f in c.findings or () if f.name == name and f.status == "present"),
                    default=0.0,
                )
                for c in self.cases
            ]
        )


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Both cohorts, then notes of COVID-19 where they are. Quick: a few small chests and steps."""
    rows: list[Figure] = []
    for sort, about in {"chest": published.CHEST, "ct": published.CT}.items():
        if quick and sort != "chest":
            continue
        data = folder / sort if quick else _fits.KEPT / f"words-{sort}"
        if not data.is_dir():
            make(data, **(published.quick(about, cases=48) if quick else about))
        for seed in _quick.SEEDS if quick else seeds:
            done = _fits.resumed(
                data,
                folder / f"{sort}-{seed}" if quick else Path(f"align-{sort}-{seed}"),
                limit=_quick.LIMIT if quick else LIMIT,
                seed=seed,
                options=("--task", "align", *EVERY_MAP, *(_quick.OPTIONS if quick else ())),
                test_split=not quick,
            )
            asked = told(done.run, data)
            rows += zero_shot(sort, asked, seed)
            rows += pointed(sort, asked, data, seed)
            rows += _word_search.figures(sort, done.run, asked.cases, folder / f"index-{sort}-{seed}", seed)
            rows.append(_fits.wall(done, seed))
    return rows if quick else [*rows, *_word_search.notes(seeds)]


def told(run: Path, data: Path) -> Asked:
    """Return the answers to the test cases of a cohort."""
    cases = tuple(c for c in cohorts.read(data).cases if c.split == "test")
    predictor = Predictor(open_bundle(run / "bundle"), device="cpu")
    answers = []
    for case in cases:
        answer = predictor(case)
        if not isinstance(answer, Scores):
            raise TypeError(type(answer).__name__)
        answers.append(answer)
    return Asked(cases, tuple(answers))


def zero_shot(sort: str, asked: Asked, seed: int) -> list[Figure]:
    """Each finding's AUC, that of large ones against the bar; and of lesions by size, against cases without any."""
    rows = []
    patients = [c.patient or c.id for c in asked.cases]
    for name in asked.names:
        found = _auc(asked.p(name), asked.there(name), patients)
        if found is None:
            continue
        what = f"{sort}: zero-shot AUC of {name}"
        if name in STRUCTURES[sort]:
            rows.append(at_least(what, found.value or 0.0, BOUND, seed=str(seed), note=_fits.interval(found)))
        else:
            rows.append(Figure(what, _fits.interval(found), seed=str(seed), note="no structure: no bar"))
    if LESION in asked.names:
        size, bare = asked.size_mm(LESION), ~asked.there(LESION)
        for low, high in BANDS:
            within = asked.there(LESION) & (size > low) & (size <= high)
            some = np.flatnonzero(within | bare)
            found = _auc(asked.p(LESION)[some], within[some], [patients[k] for k in some])
            if found is not None:
                what = f"{sort}: zero-shot AUC of a {LESION} of {low:g} to {high:g} mm"
                rows.append(
                    Figure(what, _fits.interval(found), seed=str(seed), note=f"{int(within.sum())} cases")
                )
    return rows


def pointed(sort: str, asked: Asked, data: Path, seed: int) -> list[Figure]:
    """How often the hottest place of a finding's map lies in a box of it; by chance, the boxes' share of the image."""
    boxes = _word_search.boxes_of(data)
    rows = []
    for name in asked.names:
        hits, chance, patients = [], [], []
        for case, answer in zip(asked.cases, asked.answers, strict=True):
            part, own = answer.parts.get(name), boxes.get((case.id, name), ())
            if not isinstance(part, Map) or not own or not _there(case, name):
                continue
            field = part.image.array[0]
            place = np.unravel_index(int(field.argmax()), field.shape)
            inside = np.zeros(field.shape, bool)
            for low, high in own:
                z, y, x = (slice(int(a), int(np.ceil(b))) for a, b in zip(low, high, strict=True))
                inside[z, y, x] = True
            hits.append(bool(inside[place]))
            chance.append(float(inside.mean()))
            patients.append(case.patient or case.id)
        if not hits:
            continue
        right = np.array(hits, dtype=float)
        drawn = resample(patients, np.random.default_rng(0), RESAMPLES)
        found = bounds(float(right.mean()), np.array([right[k].mean() for k in drawn]), len(right))
        note = f"{_fits.interval(found)}, n {len(right)}, by chance {np.mean(chance):.3f}"
        what = f"{sort}: pointing game, {name}"
        if name in STRUCTURES[sort]:
            rows.append(at_least(what, float(right.mean()), BOUND_POINTED, seed=str(seed), note=note))
        else:
            rows.append(Figure(what, f"{right.mean():.3f}", seed=str(seed), note=note))
    return rows


def _there(case: Case, name: str) -> bool:
    return any(f.name == name and f.status == "present" for f in case.findings or ())


def _auc(p: Array, so: Array, patients: Sequence[str]) -> Interval | None:
    """Return an AUC with its interval over patients; None where there is one kind of case alone."""
    if so.all() or not so.any():
        return None
    drawn = resample(list(patients), np.random.default_rng(0), RESAMPLES)
    values = [rank_auc(p[k], so[k]) if so[k].any() and not so[k].all() else np.nan for k in drawn]
    return bounds(float(rank_auc(p, so)), np.array(values), len(so))
