"""Normal or abnormal, by IU X-ray's reports: a net that reads beside TF-IDF and logistic regression, out of fold.

Both learn from the same folds, in which equal texts are together. Nothing was chosen by these figures: the net's size,
its steps and the regression's were fixed before the first fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import vesalius as vs
from benchmarks._figures import Figure, at_least
from benchmarks._iu_texts import same
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.image import Array
from vesalius.metrics import bounds, resample
from vesalius.texts.sections import joined, parted

DRAWS, FOLDS, BEHIND = 1000, 5, -0.005
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "both sections": ("findings", "impression"),
    "findings alone": ("findings",),
}
SETTINGS: Mapping[str, Any] = {
    "sources.texts": ["report"],
    "sources.fusion": "concat",
    "sources.longest": 128,
    "nets.report.name": "textformer",
    "nets.report.scale": 0.5,
    "nets.report.options": {"layers": 2, "longest": 128},
    "train.precision": "fp32",
    "train.members": FOLDS,
    "train.steps": 800,
    "infer.novelty": "none",
}


def figures(cohort: Cohort, folder: Path, *, seeds: Sequence[int], quick: bool) -> list[Figure]:
    """Return AUC of both ways, of both sections and of findings alone, and their difference with its interval."""
    rows: list[Figure] = []
    for name, sections in SECTIONS.items():
        cases = [only for case in cohort.cases if (only := _only(case, sections)) is not None]
        for seed in seeds:
            rows += _held(replace(cohort, cases=tuple(cases)), folder, name, seed=seed, quick=quick)
    return rows


def _only(case: Case, sections: Sequence[str]) -> Case | None:
    """Return a case with these sections of its report alone; None where they are empty, or nobody said what it is."""
    held = parted(case.report or "")
    kept = {name: held[name] for name in sections if held.get(name, "").strip()}
    if not kept or "normality" not in case.targets:
        return None
    text = joined(kept)
    return replace(case, report=text, patient=same(text))


def _held(cohort: Cohort, folder: Path, name: str, *, seed: int, quick: bool) -> list[Figure]:
    settings = dict(SETTINGS) | (
        {"train.steps": 20, "train.members": 2, "train.validations": 1} if quick else {}
    )
    out = folder / f"iu-normal-{name.replace(' ', '-')}-{seed}"
    run = (
        vs.open(out)
        if out.exists()
        else vs.fit(cohort, out, task="classify", target="normality", seed=seed, settings=settings)
    )
    unseen = {row["case"]: row for row in run.out_of_fold().rows}
    cases = [case for case in cohort.cases if case.id in unseen]
    texts = [case.report or "" for case in cases]
    truth = np.array([case.targets["normality"] == "abnormal" for case in cases])
    folds = np.array([unseen[case.id]["fold"] for case in cases])
    ours = np.array([float(unseen[case.id]["p_abnormal"]) for case in cases])
    theirs = _logistic(texts, truth, folds)
    drawn = resample([case.patient or case.id for case in cases], np.random.default_rng(0), DRAWS)
    less = np.array([auc(truth[r], ours[r]) - auc(truth[r], theirs[r]) for r in drawn])
    apart = bounds(auc(truth, ours) - auc(truth, theirs), less, len(cases))
    note = f"{len(cases)} reports, {int(truth.sum())} abnormal; equal texts in one fold"
    each = {"a net that reads": ours, "TF-IDF and logistic regression": theirs}
    found = []
    for who, p in each.items():
        spread = np.array([auc(truth[r], p[r]) for r in drawn])
        value = bounds(auc(truth, p), spread, len(cases))
        found.append(Figure(f"{name}, AUC, {who}", str(value), seed=str(seed), note=note))
    low = apart.low if apart.low is not None else float("nan")
    return [
        *found,
        at_least(f"{name}, AUC less that of TF-IDF, lower end", low, BEHIND, seed=str(seed), note=str(apart)),
    ]


def _logistic(texts: Sequence[str], truth: Array, folds: Array) -> Array:
    """Return the probability of abnormal of each text by a regression that learned from the other folds."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    p = np.zeros(len(texts))
    for fold in np.unique(folds):
        learned, asked = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        model = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
            LogisticRegression(C=10.0, max_iter=1000),
        )
        model.fit([texts[k] for k in learned], truth[learned])
        p[asked] = model.predict_proba([texts[k] for k in asked])[:, 1]
    return p


def auc(truth: Array, p: Array) -> float:
    """Return the area under the curve, ties counted half (Hanley and McNeil 1982)."""
    from scipy.stats import rankdata

    many = int(truth.sum())
    if many in (0, len(truth)):
        return float("nan")
    return float((rankdata(p)[truth].sum() - many * (many + 1) / 2) / (many * (len(truth) - many)))
