"""A tenth and a twentieth of the labels: recipes that learn from the other cases against supervised alone, paired."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import vesalius as vs
from benchmarks import _fits, _record, _slices
from benchmarks._figures import Figure, at_most
from vesalius.cohorts import with_declared_test, with_share_of_labels
from vesalius.core.cohort import Cohort
from vesalius.evaluate.comparison import Comparison
from vesalius.evaluate.gain import gain
from vesalius.verbs.compare import compare
from vesalius.verbs.phantom import phantom

SECTION = "Few labels"
SOAK = True
SEEDS = (0, 1, 2)
LIMIT_S = 90.0
PLAIN, DEFAULT = "supervised", "default"
CHOICE = "the default's choice"  # of a recipe: where that is supervised, supervised alone itself
# the phantoms, written down before anything was trained on them
SPOTS = {"contrast": 24.0, "noise": 32.0}  # as `spots` has them by default
SPOTS_LEARN, SPOTS_JUDGE = 600, 300
BLOBS = {"size": 64}
BLOBS_LEARN, BLOBS_JUDGE = 200, 60
HIPPOCAMPUS_LEARN, HIPPOCAMPUS_JUDGE = 120, 40  # patients
ACDC_LEARN, ACDC_JUDGE = 70, 30  # patients
ACDC_FRAME, ACDC_SLICES = "_frame01_", 3  # the full heart's every third slice: 90 s must do on slow cores


@dataclass(frozen=True)
class Setting:
    """A cohort of a seed with those who judge, its target, the share of labels kept, and the recipes that suit."""

    name: str
    cohort: Callable[[Path, int], tuple[Cohort, Sequence[str]]]
    target: str
    share: float
    recipes: tuple[str, ...]
    figure: str


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Fit every arm of every setting, each seed, resumed where it was interrupted. Quick: one small phantom."""
    place = folder if quick else _record.ROOT / "runs" / "benchmarks" / "semi"
    place.mkdir(parents=True, exist_ok=True)
    rows: list[Figure] = []
    for setting in QUICK if quick else SETTINGS:
        try:
            rows += _one(setting, place, seeds=(0,) if quick else seeds, quick=quick)
        except _fits.Absent as reason:
            rows.append(Figure(setting.name, "skipped", note=str(reason)))
    return rows


def _one(setting: Setting, place: Path, *, seeds: Sequence[int], quick: bool) -> list[Figure]:
    """Return the paired difference of every arm from supervised alone, over all seeds and each seed."""
    arms = {PLAIN: {"train.recipe": "supervised"}}
    arms |= {name: {"train.recipe": name} for name in setting.recipes}
    arms[DEFAULT] = {}
    found: dict[str, list[Comparison]] = {arm: [] for arm in (*arms, CHOICE) if arm != PLAIN}
    said: dict[str, list[str]] = {DEFAULT: [], CHOICE: []}
    rows: list[Figure] = []
    patients: dict[str, str] = {}
    for seed in seeds:
        whole, judges = setting.cohort(place, seed)
        data = with_share_of_labels(
            with_declared_test(whole, judges), setting.target, share=setting.share, seed=seed
        )
        patients |= {f"{seed}/{c.id}": c.patient or c.id for c in data.cases}
        runs = {}
        for arm, settings in arms.items():
            out = place / f"{_name(setting)}-{seed}-{arm}"
            runs[arm], wall = _fitted(data, out, seed, settings, setting.target, quick=quick)
            if wall is not None:
                rows.append(
                    at_most(f"{setting.name}: {arm}, wall / limit", wall / LIMIT_S, 1.1, seed=str(seed))
                )
        said[DEFAULT].append(runs[DEFAULT].plan.reasons.get("train.recipe", "nothing was tried"))
        runs[CHOICE] = _chosen(runs)
        said[CHOICE].append(f"seed {seed}: {runs[DEFAULT].plan.train.recipe}")
        for arm, comparisons in found.items():
            comparisons.append(compare(runs[PLAIN], runs[arm]))
    for arm, comparisons in found.items():
        why = "; ".join(said.get(arm, []))
        rows.append(_pooled(setting, arm, comparisons, patients, seeds, why))
        rows += [
            _of_seed(setting, arm, c, seed) for c, seed in zip(comparisons, seeds, strict=True) if not quick
        ]
    return rows


def _name(setting: Setting) -> str:
    return setting.name.replace(" ", "-").replace("%", "pc")


def _chosen(runs: Mapping[str, vs.Run]) -> vs.Run:
    """Return the run of what the default chose: its own, or supervised alone where it chose that.

    One plan with one seed gives the same weights to the bit, which the tests hold. Two runs of it that are stopped by a
    clock make different numbers of steps, and a busy machine decides which of them is better.
    """
    same = runs[DEFAULT].plan.train.recipe == runs[PLAIN].plan.train.recipe
    return runs[PLAIN if same else DEFAULT]


def _fitted(
    data: Cohort, out: Path, seed: int, settings: Mapping[str, Any], target: str, *, quick: bool
) -> tuple[vs.Run, float | None]:
    """Return a finished run, and how long it took where it was made now and in one go."""
    if (out / "scorecard.json").is_file():
        return vs.open(out), None
    begun, began = (out / "run.json").is_file(), time.monotonic()
    how = {**settings, **(QUICK_SETTINGS if quick else {})}
    run = vs.fit(
        data,
        out,
        target=target,
        seed=seed,
        settings=None if begun and (out / "plan.json").is_file() else how,
        time_limit=None if quick or begun else LIMIT_S,
        resume=begun,
        progress=False,
    )
    return run, None if begun or quick else time.monotonic() - began


def _pooled(
    setting: Setting,
    arm: str,
    comparisons: Sequence[Comparison],
    patients: Mapping[str, str],
    seeds: Sequence[int],
    why: str,
) -> Figure:
    """Return the mean change of what a case scores, over all seeds, by patient; a patient of two seeds counts once."""
    first, second, of = {}, {}, {}
    for seed, found in zip(seeds, comparisons, strict=True):
        for case in found.cases:
            name = f"{seed}/{case['case']}"
            if case["first"] is None or case["second"] is None:
                continue
            first[name], second[name], of[name] = case["first"], case["second"], patients[name]
    change = gain(first, second, of)
    figures = [c.differences[setting.figure] for c in comparisons if setting.figure in c.differences]
    values = [(f.first, f.second) for f in figures if f.first is not None and f.second is not None]
    means = np.mean(values, axis=0) if values else (np.nan, np.nan)
    note = (
        f"mean {setting.figure} {means[0]:.4f} supervised, {means[1]:.4f} {arm}; {change.patients} patients"
    )
    worse = change.high is not None and change.high < 0
    return Figure(
        f"{setting.name}: {arm} less supervised, a case's score",
        str(change),
        "not worse by its interval" if arm == CHOICE else "",
        not worse if arm == CHOICE else None,
        ", ".join(map(str, seeds)),
        f"{note}; {why}" if why else note,
    )


def _of_seed(setting: Setting, arm: str, found: Comparison, seed: int) -> Figure:
    """Return one seed's difference of the main figure, with its interval."""
    one = found.differences[setting.figure]
    value = "not defined" if one.difference is None else f"{one.difference:+.4f}"
    bounds = "" if one.low is None or one.high is None else f" [{one.low:+.4f}, {one.high:+.4f}]"
    return Figure(f"{setting.name}: {arm} less supervised, {setting.figure}", value + bounds, seed=str(seed))


# --- cohorts: those to learn from, and the cases that judge, whose labels all arms are scored on


def _phantom(
    place: Path, name: str, kind: str, options: Mapping[str, Any], cases: int, *, part: str
) -> Cohort:
    made = place / "data" / name
    if not made.is_dir():
        phantom(made, kind=kind, cases=cases, options=dict(options), format="png")
    return vs.read(made / part)


def _spots(place: Path, seed: int) -> tuple[Cohort, Sequence[str]]:
    return _drawn(
        _phantom(place, "spots", "spots", SPOTS, SPOTS_LEARN + SPOTS_JUDGE, part=""), seed, SPOTS_JUDGE
    )


def _blobs(place: Path, seed: int) -> tuple[Cohort, Sequence[str]]:
    return _drawn(
        _phantom(place, "blobs", "blob", BLOBS, BLOBS_LEARN + BLOBS_JUDGE, part=""), seed, BLOBS_JUDGE
    )


def _hippocampus(place: Path, seed: int) -> tuple[Cohort, Sequence[str]]:
    """Training cases of the split alone; the test split is not touched."""
    source = _fits.shared("hippocampus")
    split = _fits.shared("hippocampus_split.csv").read_text(encoding="utf-8").split()
    known = {line.partition(",")[0] for line in split if line.endswith(",train")}
    cohort = vs.read(source)
    cohort = cohort.where(lambda case: case.id in known)
    return _drawn(cohort, seed, HIPPOCAMPUS_JUDGE, learn=HIPPOCAMPUS_LEARN)


def _acdc(place: Path, seed: int) -> tuple[Cohort, Sequence[str]]:
    source = _fits.shared("acdc")
    cohort = vs.read(_slices.acdc(source, place / "data" / "acdc"))
    cohort = cohort.where(
        lambda case: ACDC_FRAME in case.id and int(case.id.rpartition("_z")[2]) % ACDC_SLICES == 0
    )
    return _drawn(cohort, seed, ACDC_JUDGE, learn=ACDC_LEARN)


def _drawn(
    cohort: Cohort, seed: int, judges: int, *, learn: int | None = None
) -> tuple[Cohort, Sequence[str]]:
    """Return a cohort of so many patients, drawn by the seed, and the cases of those who judge."""
    patients = sorted({c.patient or c.id for c in cohort.cases})
    order = [patients[k] for k in np.random.default_rng(seed).permutation(len(patients))]
    judging, learning = set(order[:judges]), set(order[judges : None if learn is None else judges + learn])
    kept = cohort.where(lambda case: (case.patient or case.id) in judging | learning)
    return kept, [c.id for c in kept.cases if (c.patient or c.id) in judging]


CLASSES = ("meanteacher", "fixmatch")
MASKS = ("meanteacher", "crosspseudo")
SETTINGS = (
    Setting("spots 10 %", _spots, "class", 0.1, CLASSES, "auc"),
    Setting("blobs 10 %", _blobs, "lesion", 0.1, MASKS, "dice"),
    Setting("Hippocampus 10 %", _hippocampus, "mask", 0.1, MASKS, "dice"),
    Setting("ACDC slices 10 %", _acdc, "mask", 0.1, MASKS, "dice"),
    Setting("ACDC slices 5 %", _acdc, "mask", 0.05, MASKS, "dice"),
)


def _few_spots(place: Path, seed: int) -> tuple[Cohort, Sequence[str]]:
    return _drawn(_phantom(place, "few", "spots", {"size": 20}, 60, part=""), seed, 20)


QUICK_SETTINGS = {
    "net.scale": 0.125,
    "train.steps": 6,
    "train.members": 1,
    "train.batch": 4,
    "train.validations": 1,
    "infer.novelty": "none",
}
QUICK = (Setting("spots", _few_spots, "class", 0.3, ("fixmatch",), "auc"),)
