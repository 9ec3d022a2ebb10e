"""Pictures unlike those of training: what of shift, near and far is found; whether ordinary ones raise the alarm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import _fits, _quick, _strange
from benchmarks._figures import Figure, at_most
from benchmarks._strange import DEFAULT, Watched
from vesalius.core.image import Array, Image
from vesalius.core.operating import clopper_pearson
from vesalius.infer import alarm as alarms
from vesalius.infer.layers import Features
from vesalius.verbs.phantom import phantom

SECTION = "Unlike images"
SOAK = False
SEEDS = (0,)
LIMIT = "10m"
RATE = 0.01
STRANGE = 100  # pictures of each other kind
MOST = 1.1  # times as long as without: what the alarm may cost


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """BUSI by the defaults; a finished run in `runs/benchmarks/busi-SEED` is taken. Quick: a phantom's pictures."""
    if quick:
        data = phantom(folder / "pictures", cases=125, format="png", size=(16, 48, 48)) / "classes"
        fitted = _fits.fit(
            data, folder / "run", limit=_quick.LIMIT, seed=0, options=_quick.OPTIONS, test_split=False
        )
        other = [np.random.default_rng(k).integers(0, 256, (1, 1, 48, 48), dtype=np.uint8) for k in range(20)]
        return measured(fitted.run, data, {"far: noise": [Image(a) for a in other]}, {}, name="pictures")
    rows = []
    for seed in seeds:
        data = _fits.shared("busi")
        busi = _fits.kept(data, f"busi-{seed}", limit=LIMIT, seed=seed, test_split=True)
        rows += measured(busi, data, others(), _phantoms(folder), name="BUSI", seed=str(seed))
    return rows


def others() -> dict[str, list[Image]]:
    """Pictures of other kinds, by how near they are: grey medical ones, and photographs."""
    xrays = list((_fits.shared("covid_cxr") / "images").iterdir())
    slices = list(_fits.shared("lung_ct_slices").rglob("*.*g"))
    eyes = list(_fits.shared("chasedb1").glob("*.jpg"))
    blood = list((_fits.shared("bccd") / "JPEGImages").iterdir())
    return {
        "near: chest X-rays": _strange.pictures(xrays, STRANGE, grey=True),
        "near: CT slices of the lung": _strange.pictures(slices, STRANGE, grey=True),
        "far: retinas in colour": _strange.pictures(eyes, STRANGE),
        "far: retinas in grey": _strange.pictures(eyes, STRANGE, grey=True),
        "far: blood in colour": _strange.pictures(blood, STRANGE),
        "far: blood in grey": _strange.pictures(blood, STRANGE, grey=True),
    }


def _phantoms(folder: Path) -> dict[str, list[Image]]:
    """A phantom's slices, to choose a detector by."""
    made = phantom(folder / "phantom", cases=40, seed=11, format="png")
    return {"phantom": _strange.pictures(list((made / "classes").rglob("*.png")), 40, grey=True)}


def measured(
    run: Path,
    data: Path,
    other: Mapping[str, Iterable[Image]],
    chosen_by: Mapping[str, Iterable[Image]],
    *,
    name: str,
    seed: str = "0",
) -> list[Figure]:
    """All figures of one run: the choice of a detector, what is found of what, the rate of alarms, and the cost."""
    of = _strange.watch(run, data)
    judges = _strange.detectors(of, rate=RATE)
    rows = [*_choice(of, judges, chosen_by, name, seed)]
    seen = {f"shift: {k}": v for k, v in _strange.conditions(of, of.test).items()}
    seen |= {kind: of.seen(images) for kind, images in other.items()}
    clean = _strange.scores(judges, _strange.features(of.predictor, of.test))
    odd = {kind: _strange.scores(judges, some) for kind, some in seen.items()}
    rows += [_alarms(judges[d], clean[d], name, seed) for d in judges]
    rows += _apart(clean, odd, name, seed)
    rows += _together(clean, odd, judges[DEFAULT], name, seed)
    one, many = _strange.overhead(of, judges[DEFAULT], of.test[:32], repeats=3)
    for how, ratio in (("a case at a time", one), ("32 cases in one pass", many)):
        rows.append(
            at_most(f"{name}: time with the alarm / without, {how}", ratio, MOST, digits=3, seed=seed)
        )
    return rows


def _choice(
    of: Watched, judges: Mapping[str, alarms.Alarm], more: Mapping[str, Iterable[Image]], name: str, seed: str
) -> list[Figure]:
    """Mean AUROC on what was made of the held-out cases, which no figure below is of: how the default was chosen.

    The held-out cases' own scores have been used for the threshold and for joining layers; all detectors alike.
    """
    seen: dict[str, list[Features]] = dict(_strange.conditions(of, of.held))
    seen |= {kind: of.seen(images) for kind, images in _strange.planted(of.held, seed=0).items()}
    seen |= {kind: of.seen(images) for kind, images in more.items()}
    clean = _strange.scores(judges, of.held_out)
    means = dict.fromkeys(clean, 0.0)
    for some in seen.values():
        for d, found in _strange.scores(judges, some).items():
            means[d] += _strange.auroc(clean[d], found) / len(seen)
    told = ", ".join(f"{d} {v:.3f}" for d, v in sorted(means.items(), key=lambda x: -x[1]))
    what = f"{name}: mean AUROC on {len(seen)} changes of the {len(of.held)} held-out cases"
    return [
        Figure(what, told, seed=seed, note="by this a detector is chosen; no figure below is of these cases")
    ]


def _alarms(judge: alarms.Alarm, clean: Array, name: str, seed: str) -> Figure:
    """How many unseen ordinary cases raise the alarm, with the exact interval, beside the promised share."""
    raised, n = int((clean > judge.threshold).sum()), len(clean)
    low, high = clopper_pearson(raised, n)
    return Figure(
        f"{name}: unseen test cases that raise the alarm, {judge.detector}",
        f"{raised} of {n}: {raised / n:.3f} [{low:.3f}, {high:.3f}]",
        f"{judge.rate:.4f} inside the interval",
        low <= judge.rate <= high,
        seed,
        f"by {judge.held_out} held-out cases",
    )


def _apart(
    clean: Mapping[str, Array], odd: Mapping[str, Mapping[str, Array]], name: str, seed: str
) -> list[Figure]:
    """Each detector's means over shift, near and far."""
    rows = []
    for kind in dict.fromkeys(k.partition(":")[0] for k in odd):
        sets = [k for k in odd if k.partition(":")[0] == kind]
        for d in clean:
            found = _strange.over(clean[d], [odd[k][d] for k in sets])
            rows.append(
                Figure(f"{name}: {kind}, {d}", _said(found), seed=seed, note=f"mean over {len(sets)} sets")
            )
    return rows


def _together(
    clean: Mapping[str, Array],
    odd: Mapping[str, Mapping[str, Array]],
    judge: alarms.Alarm,
    name: str,
    seed: str,
) -> list[Figure]:
    """The default detector on each set."""
    rows = []
    for kind, found in odd.items():
        share = float((found[DEFAULT] > judge.threshold).mean())
        note = f"n {len(found[DEFAULT])}, {share:.2f} raise the alarm"
        rows.append(
            Figure(
                f"{name}: {kind}, {DEFAULT}",
                _said(_strange.over(clean[DEFAULT], [found[DEFAULT]])),
                seed=seed,
                note=note,
            )
        )
    return rows


def _said(found: Mapping[str, tuple[float, float, float]]) -> str:
    words = {"auroc": "AUROC", "fpr95": "FPR@95"}
    return "; ".join(f"{words[n]} {v:.3f} [{a:.3f}, {b:.3f}]" for n, (v, a, b) in found.items())
