"""Drift: how soon one of a stated size is told, and how often one is told where there is none. About 5 minutes.

On features drawn from a normal distribution, each run with a reference of its own; and on pictures of a phantom, with
a bundle that `fit` made, whose one reference all runs share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks._figures import Figure, at_least, at_most
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Case
from vesalius.core.image import Array
from vesalius.infer.drift import RATE, Drift
from vesalius.infer.drifting import of_folder, reference_of
from vesalius.infer.evidence import Evidence
from vesalius.infer.predictor import Predictor
from vesalius.phantom import blob
from vesalius.prepare.degradations import degraded
from vesalius.verbs.fit import fit
from vesalius.verbs.phantom import phantom

SECTION = "Unlike images"
SOAK = False
SEEDS = (0,)
CLEAN, DRIFTS, WITHIN = 200, 20, 50  # runs without a drift, runs with each, cases in which it is to be told
FEATURES = 10
CASES, SIZE = 400, 32  # of the cohort that the bundle learns from
FRESH = 400  # further pictures, which the runs are drawn of
SETTINGS = {
    "data.size": [1, SIZE, SIZE],
    "net.scale": 0.25,
    "train.steps": 150,
    "train.members": 1,
    "train.batch": 16,
}
WORSE = {"noise": 5.0, "blur": 1.0, "contrast": 70.0, "gamma": 1.5, "spacing": 2.0, "compression": 25.0}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Rates on drawn features, then on a bundle. Quick: a tenth of the runs, a bundle that is hardly trained."""
    rows = []
    for seed in seeds[:1] if quick else seeds:
        rows += drawn(seed, clean=20 if quick else CLEAN, drifts=2 if quick else DRIFTS)
        rows += of_bundle(folder / f"bundle-{seed}", seed, quick=quick)
    return rows


def drawn(seed: int, *, clean: int, drifts: int) -> list[Figure]:
    """Ten features, of which one moves by 1 or 1.5 standard deviations: at once, or after 500 ordinary cases."""
    rng = np.random.default_rng(seed)
    false = [told(rng, 60, cases=500) for _ in range(clean)]
    what = f"{FEATURES} features, reference of 60: share of {clean} runs of 500 ordinary cases that are told to drift"
    rows = [at_most(what, float(np.mean([k > 0 for k in false])), RATE, seed=str(seed))]
    for cases, moved, after in ((60, 1.5, 0), (60, 1.0, 0), (200, 1.0, 0), (60, 1.5, 500)):
        found = [told(rng, cases, cases=after + WITHIN, moved=moved, after=after) for _ in range(drifts)]
        what = f"one of {FEATURES} features moves by {moved:g} SD after {after} cases, reference of {cases}"
        soon = [k - after for k in found if k > after]
        rows.append(share(what, soon, drifts, seed, bound=0.9 if moved > 1 else None))
    return rows


def told(rng: np.random.Generator, reference: int, *, cases: int, moved: float = 0.0, after: int = 0) -> int:
    """At which of some cases a drift is told of features that are drawn anew, 0 where it is not."""
    bins = min(20, reference // 5)
    ranks = [round(k * (reference + 1) / bins) for k in range(1, bins)]
    held = np.sort(rng.normal(size=(reference, FEATURES)), axis=0)
    cuts = np.stack([held[k - 3 : k + 2].mean(axis=0) for k in ranks])
    evidence = Evidence([int(g) for g in np.diff([0, *ranks, reference + 1])], FEATURES)
    for t in range(cases):
        x = rng.normal(size=FEATURES)
        x[0] += moved if t >= after else 0.0
        evidence.add([int(n) for n in (cuts < x).sum(axis=0)])
        if any(evidence.told(RATE)):
            return t + 1
    return 0


def share(what: str, soon: Sequence[int], of: int, seed: int, *, bound: float | None) -> Figure:
    """In how many runs a drift was told within so many cases, and after how many in the middle."""
    value = len(soon) / of
    note = f"median after {np.median(soon):g} cases" if soon else "never"
    text = f"{what}: share of {of} runs in which it is told within {WITHIN} cases"
    if bound is None:
        return Figure(text, f"{value:.3f}", seed=str(seed), note=note)
    return at_least(text, value, bound, seed=str(seed), note=note)


def of_bundle(folder: Path, seed: int, *, quick: bool) -> list[Figure]:
    """The classifier of blobs: runs drawn of fresh pictures, as they are and made worse."""
    data = phantom(
        folder / "data", kind="blob", cases=160 if quick else CASES, seed=seed, options={"size": SIZE}
    )
    settings = SETTINGS | ({"train.steps": 4} if quick else {})
    made = fit(data, folder / "run", target="class", settings=settings, seed=seed, progress=False)
    predictor = Predictor(open_bundle(made.path))
    reference = reference_of(predictor.bundle)
    if reference is None:
        return [Figure("blob: a bundle with a reference", "none", "one", False, str(seed))]
    many = 60 if quick else FRESH
    fresh = [blob.patient(k, seed=seed + 1000, size=SIZE).as_case() for k in range(many)]
    ordinary = bins_of(predictor, fresh, {})
    rng, runs = np.random.default_rng(seed), 10 if quick else CLEAN
    false = [of_folder(reference, chosen(ordinary, rng, WITHIN)).drifted for _ in range(runs)]
    names = f"blob, {len(reference.names)} features, reference of {reference.cases}"
    what = f"{names}: share of {runs} runs of {WITHIN} ordinary cases that are told to drift"
    rows = [at_most(what, float(np.mean([bool(f) for f in false])), RATE, seed=str(seed))]
    for name, amount in WORSE.items():
        worse = bins_of(predictor, fresh, {name: amount})
        soon = [at(reference, chosen(worse, rng, WITHIN)) for _ in range(2 if quick else DRIFTS)]
        bound = 0.9 if name in ("noise", "gamma") and not quick else None
        rows.append(
            share(f"{names}: {name} {amount:g}", [k for k in soon if k], len(soon), seed, bound=bound)
        )
    return rows


def bins_of(
    predictor: Predictor, cases: Sequence[Case], worse: Mapping[str, float]
) -> dict[str, tuple[int, ...]]:
    """Where cases lie beside the reference, made worse as is said."""
    found: dict[str, tuple[int, ...]] = {}
    following = predictor.listening(found.__setitem__)
    for start in range(0, len(cases), 16):
        part = []
        for k, case in enumerate(cases[start : start + 16], start=start):
            image = case.images["image"]
            for name, amount in worse.items():
                image = degraded(image, name, amount, seed=k)  # type: ignore[arg-type]
            part.append(Case(case.id, {"image": image}))
        following.together(part)
    return found


def chosen(
    bins: Mapping[str, tuple[int, ...]], rng: np.random.Generator, many: int
) -> list[tuple[str, tuple[int, ...]]]:
    """Some of the cases, drawn."""
    names: Array = rng.choice(sorted(bins), many, replace=False)
    return [(str(n), bins[str(n)]) for n in names]


def at(reference: Drift, rows: Sequence[tuple[str, tuple[int, ...]]]) -> int:
    """After how many cases a drift is told, 0 where it is not."""
    evidence = Evidence([int(g) for g in reference.gaps], len(reference.names))
    for k, (_, bins) in enumerate(rows, start=1):
        evidence.add(bins)
        if any(evidence.told(reference.rate)):
            return k
    return 0
