"""Chest X-rays of COVID-19: what picture, age and sex tell of intensive care; and a check for shortcuts."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import _fits, _phantoms, _quick
from benchmarks._figures import Figure
from vesalius.core.image import Array
from vesalius.metrics import bounds, resample

SECTION = "Sequences and sources"
SOAK = False
SEEDS = (0,)
FOLDS = 5
LIMIT = "90s"  # of a fold and an arm
DRAWS = 2000
COVID = ("COVID-19", "COVID-19, ARDS")
NOT_PNEUMONIA = ("todo", "No Finding", "Unknown", "ARDS")
NUMBERS = ("--column", "covariate=age,sex")
ARMS = {
    "icu": {
        "picture": ("--column", "image=image"),
        "age and sex": ("--column", "image=", *NUMBERS),
        "picture, age and sex": ("--column", "image=image", *NUMBERS),
    },
    "covid": {
        "picture": ("--column", "image=image"),
        "picture without lungs": ("--column", "image=hidden"),
        "view, age and sex": ("--column", "image=", "--column", "covariate=seen_from,age,sex"),
    },
}
SAYS = {
    "icu": "to intensive care",
    "covid": "COVID-19 against other pneumonia",
}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Every patient is tested on once; a fit a fold and an arm, resumed where interrupted. Quick: one fold."""
    rows: list[Figure] = []
    out = folder if quick else _fits.KEPT / "covid-sources"
    out.mkdir(parents=True, exist_ok=True)
    for seed in _quick.SEEDS if quick else seeds:
        for question, arms in ARMS.items():
            table, truth = _table(out, question)
            said = {
                name: _said(out, question, name, words, table, truth, seed, quick=quick)
                for name, words in arms.items()
            }
            rows += _figures(question, said, truth, seed, quick=quick)
    return rows


def _table(out: Path, question: str) -> tuple[Path, dict[str, bool]]:
    """Return a table of one picture a patient, the first that was taken, and the truth by patient.

    Notes, oxygen, intubation and what else tells the outcome are not in it.
    """
    source = _fits.shared("covid_cxr")
    with (source / "table.csv").open(newline="", encoding="utf-8") as f:
        listed = list(csv.DictReader(f))
    lungs = _lungs(source)
    first: dict[str, Mapping[str, str]] = {}
    for row in sorted(listed, key=_when):
        known = row["age"] or row["sex"]  # who has neither cannot be answered from them, and is in no arm
        if known and _answer(question, row) is not None and (question == "icu" or row["image"] in lungs):
            first.setdefault(row["patientid"], row)
    rows, truth = [], {}
    for patient, row in first.items():
        name = f"{patient}.png"
        shown, hidden = out / "pictures" / name, out / "hidden" / name
        for path in (shown, hidden):
            path.parent.mkdir(exist_ok=True)
        picture = np.asarray(Image.open(source / row["image"]).convert("L"))
        Image.fromarray(picture).save(shown)
        Image.fromarray(_without(picture, lungs.get(row["image"], ()))).save(hidden)
        truth[patient] = bool(_answer(question, row))
        view = row["view"] if row["view"] not in ("", "?") else ""
        rows.append(
            (
                patient,
                f"pictures/{name}",
                f"hidden/{name}",
                row["age"],
                row["sex"],
                view,
                "yes" if truth[patient] else "no",
            )
        )
    table = out / f"{question}.csv"
    with table.open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(("patient", "image", "hidden", "age", "sex", "seen_from", question))
        writer.writerows(rows)
    return table, truth


def _when(row: Mapping[str, str]) -> float:
    """Return on which day a picture was taken; one of which nobody knows it comes after all others."""
    try:
        return float(row["offset"])
    except ValueError:
        return math.inf


def _answer(question: str, row: Mapping[str, str]) -> bool | None:
    """Return the truth of a picture's patient; None where nobody said it."""
    if question == "icu":
        return {"Y": True, "N": False}.get(row["went_icu"])
    if row["finding"] in NOT_PNEUMONIA or not row["finding"]:
        return None
    return row["finding"] in COVID


def _lungs(source: Path) -> dict[str, list[tuple[int, int, int, int]]]:
    """Return the boxes of both lungs by picture, (x, y, width, height) in pixels."""
    found: dict[str, list[tuple[int, int, int, int]]] = {}
    with (source / "lung_boxes.csv").open(newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f):
            x, y, w, h = (round(float(row[k])) for k in ("x", "y", "w", "h"))
            found.setdefault(row["image"], []).append((x, y, w, h))
    return found


def _without(picture: Array, boxes: Sequence[tuple[int, int, int, int]]) -> Array:
    """Return a picture whose lungs are one grey: what is left (edges, letters, exposure) should tell no disease."""
    hidden = picture.copy()
    for x, y, w, h in boxes:
        hidden[y : y + h, x : x + w] = int(picture.mean())
    return hidden


def _said(
    out: Path,
    question: str,
    arm: str,
    words: Sequence[str],
    table: Path,
    truth: Mapping[str, bool],
    seed: int,
    *,
    quick: bool,
) -> dict[str, float]:
    """Return the probability of yes by patient, each from the fold that tested on it."""
    fold = _folds(truth, seed)
    found: dict[str, float] = {}
    for k in range(1 if quick else FOLDS):
        split = out / f"split-{question}-{k}.csv"
        lines = [f"{p},{'test' if fold[p] == k else 'train'}" for p in truth]
        split.write_text("\n".join(["case,split", *lines]) + "\n", encoding="utf-8")
        bare = "image=" in words
        done = _fits.resumed(
            table,
            out / "-".join((question, arm.replace(", ", "-").replace(" ", "-"), str(seed), str(k))),
            limit=_phantoms.LIMIT if quick else LIMIT,
            seed=seed,
            options=(
                "--split", str(split), "--target", question, "--column", "id=patient", *words,
                *(_quick.OPTIONS if quick and not bare else ()),
            ),
            test_split=not quick,
        )  # fmt: skip
        found |= {str(c["case"]): float(c["p"]["yes"]) for c in done.card.cases}
    return found


def _folds(truth: Mapping[str, bool], seed: int) -> dict[str, int]:
    """Return each patient's fold, with as many of each answer in each."""
    rng, fold = np.random.default_rng(seed), {}
    for value in (True, False):
        drawn = rng.permutation([p for p, t in truth.items() if t is value])
        fold |= {str(p): n % FOLDS for n, p in enumerate(drawn)}
    return fold


def _figures(
    question: str,
    said: Mapping[str, Mapping[str, float]],
    truth: Mapping[str, bool],
    seed: int,
    *,
    quick: bool,
) -> list[Figure]:
    """Return the AUC of each arm and how far the first ones are from the last, paired by patient."""
    patients = sorted(set.intersection(*(set(s) for s in said.values())))
    y = np.array([truth[p] for p in patients])
    p = {name: np.array([s[k] for k in patients]) for name, s in said.items()}
    draws = [i for i in resample(patients, np.random.default_rng(0), DRAWS) if 0 < y[i].sum() < len(i)]
    what, word = SAYS[question], str(seed)
    note = f"n {len(y)}, of whom {int(y.sum())} yes; chance has .5"
    rows = []
    for name, of in p.items():
        held = bounds(_auc(of, y), np.array([_auc(of[i], y[i]) for i in draws]), len(y))
        rows.append(Figure(f"{what}, from {name}: AUC", _fits.interval(held), seed=word, note=note))
    *others, last = p
    pairs = [(last, o) for o in others] if question == "icu" else [(others[0], others[1]), (others[0], last)]
    for one, other in pairs:
        drawn = np.array([_auc(p[one][i], y[i]) - _auc(p[other][i], y[i]) for i in draws])
        held = bounds(_auc(p[one], y) - _auc(p[other], y), drawn, len(y))
        rows.append(
            Figure(f"{what}: {one} less {other}", _fits.interval(held), seed=word, note="AUC, paired")
        )
    return rows


def _auc(p: Array, y: Array) -> float:
    """Return the chance that a yes has a higher probability than a no, ties half (Mann and Whitney 1947)."""
    yes, no = p[y], p[~y]
    return float((yes[:, None] > no).mean() + (yes[:, None] == no).mean() / 2)
