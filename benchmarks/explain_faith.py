"""Whether maps point at what tells a phantom's class, and not so where a model learned nothing, or other labels."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import vesalius as vs
from benchmarks import _fits, _record
from benchmarks._figures import Figure, at_least, at_most
from vesalius import metrics
from vesalius.core.case import Case
from vesalius.core.registry import names
from vesalius.explain import methods
from vesalius.explain.explanation import Choices, Explanation, explain
from vesalius.explain.faithful import shuffled
from vesalius.explain.pointing import Pointed
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import with_reference
from vesalius.run import relabelling
from vesalius.run.finished import bundle_of, run_at
from vesalius.verbs.explain import explain as verb

SECTION = "Explanations"
SOAK = True
SEEDS = (0,)
BAR, SAME = 0.5, 0.5
RELABELLED = "45s"


@dataclass(frozen=True)
class Kind:
    """One phantom: its options, how many cases and how long to learn, and the part that tells its class."""

    name: str
    part: str
    options: Mapping[str, Any]
    cases: int
    limit: str
    format: str = "png"
    asked: int = 16  # test cases
    chosen_on: int = 8  # validation cases
    randomised: int = 4  # test cases


KINDS = (
    Kind("lesion", "lesion", {}, 500, "4m"),
    Kind("marker", "marker_mask", {"told_by": "marker"}, 300, "90s"),
    Kind(
        "volume",
        "lesion",
        {"size": 48, "depth": 32},
        500,
        "10m",
        "nifti",
        asked=12,
        chosen_on=4,
        randomised=2,
    ),
)
QUICK = ("net.scale=0.125", "train.steps=20", "train.batch=4", "train.validations=1")


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False, only: Sequence[str] = ()) -> list[Figure]:
    """Write each phantom, learn its class, choose the best method on validation cases, and ask about test cases."""
    rows: list[Figure] = []
    for kind in [k for k in KINDS if not only or k.name in only]:
        if quick:
            small = {**kind.options, "size": 32, **({"depth": 16} if "depth" in kind.options else {})}
            kind = replace(kind, options=small, cases=30, limit="60s", asked=2, chosen_on=1, randomised=1)
        data, out = folder / f"data-{kind.name}", folder / f"run-{kind.name}"
        if not data.exists():
            vs.phantom(
                data, kind="blob", cases=kind.cases, seed=seeds[0], format=kind.format, options=kind.options
            )
        if not (out / "scorecard.json").is_file():
            told = ["--target", "class", "--set", "train.members=1"]
            told += [w for setting in QUICK for w in ("--set", setting)] if quick else []
            _fits.fit(data, out, limit=kind.limit, seed=seeds[0], options=told, test_split=not quick)
        rows += figures(kind, data, out, quick=quick)
    return rows


def figures(kind: Kind, data: Path, out: Path, *, quick: bool = False) -> list[Figure]:
    """Return what was found on one phantom. Which method is best is chosen on validation cases alone."""
    dealt = json.loads((out / "folds.json").read_text(encoding="utf-8"))
    predictor, cohort = Predictor(bundle_of(out)), vs.read(data)
    told = [c for c in cohort.cases if c.targets["class"] == "positive"]
    few = Choices(check="none", samples=12 if quick else None, pieces=60)
    asked = [with_reference(c) for c in told if c.id in set(dealt["test"])][: kind.asked]
    own = [with_reference(c) for c in told if c.id in set(dealt["folds"][0])][: kind.chosen_on]
    every = [n for n in names(methods.KIND) if n not in _refused(predictor, own[0], few)]
    chosen = _pointed(predictor, own, every, few, kind.part)
    best = max(every, key=lambda n: float(np.mean([p.share for p in chosen[n]])))
    found = _pointed(predictor, asked, every, few, kind.part)
    card, what = run_at(out).scorecard, kind.name
    rows = [Figure(f"{what}: AUC on test cases", _fits.interval(card.metrics["auc"]))] if card else []
    chance = [(p.by_chance, p.middle_share, p.middle_hit) for p in found[best]]
    beside = "chance {:.3f}, the middle {:.3f} (hits {:.2f})".format(*np.mean(chance, axis=0))
    note = f"the best of {len(every)} on {len(own)} validation cases; {len(asked)} test cases; {beside}"
    rows.append(
        at_least(
            f"{what}: share of {best} inside the {kind.part}", _mean(found[best], "share"), BAR, note=note
        )
    )
    if kind.part != "lesion":
        hits = _mean(found[best], "hit")
        rows.append(at_least(f"{what}: {best} points at the {kind.part}", hits, BAR, note=beside))
    for name in every:
        words = (
            f"share {_words(found[name], 'share', asked)}, points inside {_words(found[name], 'hit', asked)}"
        )
        rows.append(Figure(f"{what}: {name}", words))
    return rows + _randomised(kind, predictor, asked[: kind.randomised], every, few, out, quick=quick)


def _randomised(
    kind: Kind,
    predictor: Predictor,
    cases: list[Case],
    every: list[str],
    few: Choices,
    out: Path,
    *,
    quick: bool,
) -> list[Figure]:
    """Return how alike the maps of models are whose weights, or whose labels, were in a random order."""
    others = {
        "shuffled weights": untrained(predictor),
        "labels in a random order": _relabelled(out, cases[0], quick=quick),
    }
    rows = []
    for who, other in others.items():
        for name in every:
            pairs = [explain(predictor, c, [name], ask="positive", choices=few, against=other) for c in cases]
            same = [e.explained[0].map.figures.get("same_with_other_labels", float("nan")) for e in pairs]
            alone = _pointed(other, cases, [name], few, kind.part)[name]
            note = f"{len(cases)} test cases; its share inside is then {_mean(alone, 'share'):.3f}"
            what = f"{kind.name}: {name} and that of {who}, rank correlation"
            rows.append(at_most(what, float(np.nanmean(same)), SAME, note=note))
    return rows


def untrained(predictor: Predictor) -> Predictor:
    """Return a predictor of one stage whose weights are in a random order, which has learned nothing."""
    (stage,) = predictor.stages
    other = predictor.accepting
    other.stages = (replace(stage, models=tuple(shuffled(stage.models, 1))),)
    return other


def _relabelled(out: Path, case: Case, *, quick: bool) -> Predictor:
    """Return a model of labels in a random order, trained as `explain` does."""
    if quick:
        relabelling.SETTINGS.update({"train.steps": 20, "train.validations": 1})
    limit = "60s" if quick else RELABELLED
    verb(out, case, method="occlusion", check="none", samples=4, ask="positive", randomised_labels=limit)
    return Predictor(bundle_of(out / relabelling.FOLDER))


def _refused(predictor: Predictor, case: Case, few: Choices) -> set[str]:
    found: Explanation = explain(predictor, case, list(names(methods.KIND)), ask="positive", choices=few)
    return set(found.refused)


def _pointed(
    predictor: Predictor, cases: list[Case], every: list[str], few: Choices, part: str
) -> dict[str, list[Pointed]]:
    found: dict[str, list[Pointed]] = {name: [] for name in every}
    for case in cases:
        for one in explain(predictor, case, every, ask="positive", choices=few).explained:
            found[one.method] += [p for p in one.pointed if p.part == part]
    return found


def _mean(pointed: list[Pointed], figure: str) -> float:
    return float(np.mean([getattr(p, figure) for p in pointed]))


def _words(pointed: list[Pointed], figure: str, cases: list[Case]) -> str:
    """Return a mean with its bootstrap interval over patients."""
    return bounded([getattr(p, figure) for p in pointed], cases)


def bounded(values: Sequence[float], cases: Sequence[Case]) -> str:
    """Return the mean of a value a case with its bootstrap interval over patients."""

    def mean(rows: metrics.Rows, index: Any) -> dict[str, float]:
        return {"mean": float(rows.columns["mean"][index].mean())}

    rows = metrics.Rows(tuple(c.id for c in cases), {"mean": np.array(values)})
    found = metrics.bootstrap(rows, mean, patients=[c.patient or c.id for c in cases])["mean"]
    return _fits.interval(found)


def main() -> int:
    """Go on in a folder of data and runs that were made before, print the figures and record them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain_faith", description=__doc__)
    parser.add_argument("folder", type=Path, help="holds data-NAME and run-NAME, or gets them")
    parser.add_argument("--only", action="append", default=[], choices=[k.name for k in KINDS])
    given = parser.parse_args()
    busy, rows = _record.load(), run(given.folder, seeds=SEEDS, only=given.only)
    for figure in rows:
        print("  ".join(cell for cell in figure.cells() if cell))
    command = " ".join(["python -m benchmarks.explain_faith FOLDER", *(f"--only {n}" for n in given.only)])
    _record.append_block(SECTION, _record.block("explain_faith", rows, command=command, busy=busy))
    return 0 if all(f.holds is not False for f in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
