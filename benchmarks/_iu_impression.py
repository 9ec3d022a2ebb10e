"""Impressions out of findings, by IU X-ray's reports: a writer beside lead, nearest report and most frequent one.

The writer is that of `report`, whose case has no image: it attends to what a net makes of the findings. What is nearest
is found by BM25 among the findings of training reports, and its impression is taken as it is. Equal findings are on one
side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import vesalius as vs
from benchmarks._figures import Figure
from benchmarks._iu_texts import same
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.image import Array
from vesalius.core.sentences import sentences
from vesalius.metrics import bounds, resample
from vesalius.metrics._text_overlap import rouge_l
from vesalius.metrics._text_words import words
from vesalius.retrieve.bm25 import BM25
from vesalius.texts.sections import parted

DRAWS, LEAD, HELD_OUT = 1000, 1, 5  # one sentence is the lead; every fifth group of equal findings is asked
SETTINGS: Mapping[str, Any] = {
    "sources.texts": ["findings"],
    "sources.fusion": "attention",
    "sources.longest": 128,
    "nets.findings.name": "textformer",
    "nets.findings.scale": 0.5,
    "nets.findings.options": {"layers": 2, "longest": 128},
    "train.precision": "fp32",
    "train.steps": 1500,
    "infer.novelty": "none",
}


def figures(cohort: Cohort, folder: Path, *, seeds: Sequence[int], quick: bool) -> list[Figure]:
    """Return ROUGE-L of each way against the impressions that were written, and the writer's difference to the best."""
    known, asked = _parts(cohort.cases)
    said = rivals(known, asked)
    for seed in seeds:
        said[f"writer, seed {seed}"] = _written(cohort, known, asked, folder, seed=seed, quick=quick)
    wanted = [words(case.report or "") for case in asked]
    scores = {
        way: np.array([rouge_l(words(t), w) for t, w in zip(texts, wanted, strict=True)])
        for way, texts in said.items()
    }
    drawn = resample([case.patient or case.id for case in asked], np.random.default_rng(0), DRAWS)
    note = f"{len(asked)} impressions; {len(known)} reports are learned from"
    rows = [
        Figure(f"impression, ROUGE-L, {way}", _interval(each, drawn), note=note)
        for way, each in scores.items()
    ]
    for way, each in scores.items():
        if way.startswith("writer"):
            rows += [
                Figure(f"impression, ROUGE-L, {way} less {other}", _interval(each - scores[other], drawn))
                for other in scores
                if not other.startswith("writer")
            ]
    return rows


def rivals(known: Sequence[Case], asked: Sequence[Case]) -> dict[str, list[str]]:
    """Return what needs no model: the findings' first sentence, the nearest report's impression, the commonest one."""
    index = BM25.of([case.texts["findings"] for case in known])
    nearest = [int(np.argmax(index.scores(case.texts["findings"]))) for case in asked]
    often = Counter(case.report or "" for case in known).most_common(1)[0][0]
    return {
        "lead sentence": [" ".join(sentences(case.texts["findings"])[:LEAD]) for case in asked],
        "nearest report": [known[k].report or "" for k in nearest],
        "most frequent": [often for _ in asked],
    }


def _parts(cases: Sequence[Case]) -> tuple[list[Case], list[Case]]:
    """Return cases with findings as text and the impression as report: those that are learned from, and those asked."""
    known: list[Case] = []
    asked: list[Case] = []
    for case in cases:
        held = parted(case.report or "")
        found, told = held.get("findings", "").strip(), held.get("impression", "").strip()
        if found and told:
            group = same(found)
            side = asked if int(group, 16) % HELD_OUT == 0 else known
            side.append(replace(case, texts={"findings": found}, report=told, targets={}, patient=group))
    return known, asked


def _written(
    cohort: Cohort, known: Sequence[Case], asked: Sequence[Case], folder: Path, *, seed: int, quick: bool
) -> list[str]:
    settings = dict(SETTINGS) | (
        {"train.steps": 10, "train.validations": 1, "nets.writer.scale": 0.125} if quick else {}
    )
    out = folder / f"iu-impression-{seed}"
    learned = replace(cohort, cases=tuple(known), targets={})
    run = vs.open(out) if out.exists() else vs.fit(learned, out, task="report", seed=seed, settings=settings)
    answers = vs.predict(run.bundle, replace(cohort, cases=tuple(asked), targets={}))
    told: list[Any] = [answers[case.id] for case in asked]
    return [" ".join(text for text in one.sections.values()) for one in told]


def _interval(values: Array, drawn: Sequence[Array]) -> str:
    return str(bounds(float(values.mean()), np.array([values[rows].mean() for rows in drawn]), len(values)))
