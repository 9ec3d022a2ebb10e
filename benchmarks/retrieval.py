"""Retrieval: are pictures of one finding nearer by a learned metric than by a plain classifier's features?

Every arm has the same net, the same data and the same number of steps, so that a busy machine changes nothing. Test
pictures are asked, all others are found; cases of one patient are never in both.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import _fits, _quick
from benchmarks._figures import Figure
from vesalius import cohorts
from vesalius.core.answers.ranking import Ranking
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Case
from vesalius.core.image import Array
from vesalius.core.index import unit
from vesalius.core.progress import Silent
from vesalius.evaluate.paired import Difference, differences, together
from vesalius.infer.features import compares
from vesalius.learn.stepper import build
from vesalius.metrics import Rows, bootstrap, ranking, standing
from vesalius.run.vectors import Vectors
from vesalius.verbs.phantom import phantom

SECTION = "Retrieval"
SOAK = False
SEEDS = (0, 1, 2)
STEPS = 300
LIMIT = "3h"  # which no arm reaches: its number of steps ends it
PLAIN, NOTHING = "classifier", "random weights"
LOSSES = ("triplet", "contrastive", "proxy-anchor")
FIGURES = ("recall@1", "recall@5", "recall@10", "map", "ndcg@10")
FEW = 8  # pictures of a finding of covid_cxr, from which it is asked for
UNKNOWN = ("todo", "Unknown", "Pneumonia", "")  # of findings, that say no cause


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit an arm and a seed on each cohort, resumed where interrupted. Quick: a phantom's pictures, few steps."""
    rows: list[Figure] = []
    for name in ("phantom",) if quick else ("phantom", "busi", "covid_cxr"):
        data = _data(name, folder, quick=quick)
        for seed in _quick.SEEDS if quick else seeds:
            runs = {arm: _fitted(name, arm, data, folder, seed, quick=quick) for arm in (PLAIN, *LOSSES)}
            found = {arm: _ranked(run, data) for arm, run in runs.items()}
            found[NOTHING] = _ranked(runs[PLAIN], data, untrained=True)
            rows += _figures(name, found, seed)
    return rows


def _data(name: str, folder: Path, *, quick: bool) -> Path:
    if name == "busi":
        return _fits.shared("busi")
    if name == "covid_cxr":
        return _findings(_fits.KEPT / "retrieval-covid_cxr")
    if quick:
        return _quick.pictures(folder)
    data = _fits.KEPT / "retrieval-phantom"
    return data / "classes" if data.is_dir() else phantom(data, cases=300, format="png") / "classes"


def _findings(out: Path) -> Path:
    """Return a table of the pictures of causes of pneumonia that at least FEW pictures show, with their patients."""
    source = _fits.shared("covid_cxr")
    with (source / "table.csv").open(newline="", encoding="utf-8") as f:
        listed = [{**row, "finding": row["finding"].removesuffix(", ARDS")} for row in csv.DictReader(f)]
    listed = [row for row in listed if row["finding"] not in UNKNOWN]
    counts = Counter(row["finding"] for row in listed)
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    table = out / "findings.csv"
    with table.open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(("patient", "image", "finding"))
        for k, row in enumerate(r for r in listed if counts[r["finding"]] >= FEW):
            Image.open(source / row["image"]).convert("L").save(out / "pictures" / f"{k}.png")
            writer.writerow((row["patientid"], f"pictures/{k}.png", row["finding"]))
    return table


def _fitted(name: str, arm: str, data: Path, folder: Path, seed: int, *, quick: bool) -> Path:
    """Return the run of an arm: both tasks with the same net and steps, one member."""
    settings = [*_quick.SETTINGS, "train.batch=8"] if quick else [f"train.steps={STEPS}", "train.members=1"]
    if arm != PLAIN:
        settings.append(f"loss.name={arm}")
    task = "classify" if arm == PLAIN else "embed"
    return _fits.resumed(
        data,
        folder / f"{name}-{arm}-{seed}" if quick else Path(f"retrieval-{name}-{arm}-{seed}"),
        limit=_quick.LIMIT if quick else LIMIT,
        seed=seed,
        options=("--task", task, *(word for s in settings for word in ("--set", s))),
        test_split=not quick,
    ).run


def _ranked(run: Path, data: Path, *, untrained: bool = False) -> tuple[Rows, list[str]]:
    """Return the figures of each test case among all other cases, and whose each is."""
    vectors = Vectors(open_bundle(run / "bundle"), device="cpu")
    stage = vectors.predictor.stages[-1]
    if untrained:
        fresh = build(stage.task, stage.stage.plan, stage.stage.state, 0)
        stage.models[0].load_state_dict(fresh.state_dict())
    cohort = cohorts.check(cohorts.read(data), progress=Silent())
    target = stage.stage.state.values["target"]
    test = set(cohorts.load_assignment(run / "folds.json").test)
    labelled = [c for c in cohort.cases if target in c.targets]
    queries = [c for c in labelled if c.id in test]
    known = [c for c in labelled if c.id not in test]
    asked, held = (np.stack([vectors.of_case(c) for c in some]) for some in (queries, known))
    if not compares(stage.task):  # features point much the same way, as an index has it
        middle = held.mean(axis=0)
        asked, held = asked - middle, held - middle
    far = 1 - unit(asked) @ unit(held).T
    answers = [_answer(c, row, known) for c, row in zip(queries, far, strict=True)]
    label = {c.id: c.targets[target] for c in labelled}
    truths = [{k.id for k in known if label[k.id] == label[c.id]} for c in queries]
    return ranking.rows(answers, truths), [c.patient or c.id for c in queries]


def _answer(case: Case, far: Array, known: Sequence[Case]) -> Ranking:
    order = np.argsort(far, kind="stable")
    return Ranking(case_id=case.id, case_ids=tuple(known[k].id for k in order), distances=far[order])


def _between(found: Difference) -> str:
    if found.difference is None or found.low is None or found.high is None:
        return "not defined"
    return f"{found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def _figures(name: str, found: dict[str, tuple[Rows, list[str]]], seed: int) -> list[Figure]:
    """Each arm's figures with intervals over patients, and how much more each has than the classifier's features."""
    rows = []
    first, patients = found[PLAIN]
    for arm, (each, _) in found.items():
        fixed = standing(ranking, each)
        measured = bootstrap(each, ranking.summary, patients=patients, standing=fixed)
        more = (
            {}
            if arm == PLAIN
            else differences(
                "Ranking", together("Ranking", first, each), patients=patients, names=(PLAIN, arm)
            )
        )
        for figure in FIGURES:
            note = f"{len(each)} pictures of {len(set(patients))} patients"
            if arm != PLAIN:
                note += f"; more than {PLAIN}: {_between(more[figure])}"
            rows.append(
                Figure(
                    f"{name}: {figure}, {arm}", _fits.interval(measured[figure]), seed=str(seed), note=note
                )
            )
    return rows
