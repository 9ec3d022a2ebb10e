"""Searching by words: how often a report's words find an image with equal findings, beside BM25 on the reports."""

from __future__ import annotations

import csv
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import _fits
from benchmarks._figures import Figure
from vesalius.core.answers.ranking import Ranking
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.image import Array
from vesalius.core.index_file import open_index
from vesalius.metrics import Rows, bounds, ranking, resample
from vesalius.retrieve.bm25 import BM25
from vesalius.retrieve.search import Without, likeness, ranked
from vesalius.run.vectors import Vectors
from vesalius.texts.sections import parted
from vesalius.verbs.index import BUNDLE, index

FIGURE = "recall@5"
RESAMPLES = 1000
NOTES = ("--column", "report=clinical_notes", "--column", "image=image", "--column", "patient=patientid")
LIMIT_NOTES = "20m"
Corners = tuple[tuple[float, ...], tuple[float, ...]]


def figures(sort: str, run: Path, cases: Sequence[Case], folder: Path, seed: int) -> list[Figure]:
    """The figures of both ways on the same queries, and their difference, with intervals over patients.

    A query is what a test case's report says of its image; the case itself, and its patient's others, are not among
    what is searched. To be found are cases with equal findings, whatever their sides and sizes.
    """
    shutil.rmtree(folder, ignore_errors=True)
    table = {c.id: c for c in cases}
    made = index(run, Cohort(root=Path(), layout="given", cases=tuple(cases)), folder, progress=False)
    known, vectors = open_index(made.path), Vectors(open_bundle(folder / BUNDLE))
    order = [e.case for e in known.entries]
    texts = [said(table[c]) for c in order]
    words, captions = vectors.of_texts(texts), BM25.of(texts)
    by_image, by_caption, truths = [], [], []
    for k, case in enumerate(order):
        own = table[case].patient
        out = [c for c in order if c == case or (own is not None and table[c].patient == own)]
        without = Without(cases=out)
        for found, like in (
            (by_image, likeness(known, None, words[k])),
            (by_caption, captions.scores(texts[k])),
        ):
            answer, _ = ranked(known, like, count=len(order), without=without)
            found.append(replace(answer, case_id=case))
        truths.append({c for c in order if c not in out and names_in(table[c]) == names_in(table[case])})
    patients = [table[c].patient or c for c in order]
    return _beside(sort, by_image, by_caption, truths, patients, seed)


def _beside(
    sort: str,
    ours: Sequence[Ranking],
    theirs: Sequence[Ranking],
    truths: Sequence[set[str]],
    patients: Sequence[str],
    seed: int,
) -> list[Figure]:
    one, two = ranking.rows(ours, truths), ranking.rows(theirs, truths)
    drawn = resample(list(patients), np.random.default_rng(0), RESAMPLES)

    def figure(what: str, rows: Rows, less: Rows | None = None) -> Figure:
        every = np.arange(len(rows))

        def value(k: Array) -> float:
            whole = ranking.summary(rows, k)[FIGURE]
            return whole - ranking.summary(less, k)[FIGURE] if less is not None else whole

        found = bounds(value(every), np.array([value(k) for k in drawn]), ranking.counts(rows)[FIGURE])
        asked = "" if less is None else "lower end > 0"
        holds = None if less is None else bool(found.low is not None and found.low > 0)
        return Figure(f"{sort}: {what}", _fits.interval(found), asked, holds, str(seed), f"{found.n} queries")

    return [
        figure(f"words → image, {FIGURE}", one),
        figure(f"BM25 on the reports, {FIGURE}", two),
        figure(f"words → image minus BM25, {FIGURE}", one, two),
    ]


def notes(seeds: Sequence[int]) -> list[Figure]:
    """Notes of chest X-rays of COVID-19: they often tell the diagnosis, so that this tests no eyes."""
    rows = []
    for seed in seeds:
        data = _fits.shared("covid_cxr") / "table.csv"
        done = _fits.resumed(
            data,
            Path(f"align-covid-{seed}"),
            limit=LIMIT_NOTES,
            seed=seed,
            options=("--task", "align", "--layout", "table", *NOTES),
            test_split=True,
        )
        for name, found in done.card.metrics.items():
            if name.startswith("auc"):
                note = "held against what rules read in the same notes, which tell more than the image"
                rows.append(Figure(f"covid_cxr: {name}", _fits.interval(found), seed=str(seed), note=note))
    return rows


def said(case: Case) -> str:
    """Return what a report says of its image: its findings, else its impression, else all of it."""
    sections = parted(case.report or "")
    return sections.get("findings") or sections.get("impression") or case.report or ""


def names_in(case: Case) -> frozenset[str]:
    """Return the names of what is truly in a case's image."""
    return frozenset(f.name for f in case.findings or () if f.status == "present")


def boxes_of(data: Path) -> Mapping[tuple[str, str], Sequence[Corners]]:
    """Return the boxes of each case's findings by case and name, low and high corners `(z, y, x)`, from boxes.csv."""
    found: dict[tuple[str, str], list[Corners]] = defaultdict(list)
    with (data / "boxes.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            low = tuple(float(row.get(f"{axis}0") or 0) for axis in "zyx")
            high = tuple(float(row.get(f"{axis}1") or 1) for axis in "zyx")
            found[(row["case"], row["label"])].append((low, high))
    return found
