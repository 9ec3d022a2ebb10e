"""How well strange cases are told from ordinary ones: sets of images, every detector's scores, and figures."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vesalius import cohorts, formats
from vesalius.core import registry
from vesalius.core.bundle import open_bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.image import Array, Image
from vesalius.infer import alarm as alarms
from vesalius.infer.layers import Features
from vesalius.infer.novelty.vim import energy
from vesalius.infer.predictor import Predictor
from vesalius.infer.runs.contract import Members
from vesalius.prepare import degradations
from vesalius.prepare.case import load_reference

SHIFTS = {"noise": "noise", "blur": "blur", "contrast": "contrast", "gamma": "gamma", "resolution": "spacing"}
RESAMPLES = 1000
DEFAULT = "mahalanobis"
PROBABILITY = ("max probability", "energy")  # of the first member, for comparison


@dataclass(frozen=True, eq=False)
class Watched:
    """A run with the features of the cases that its first member learned from and of its held-out ones."""

    predictor: Predictor
    cohort: Cohort
    training: Sequence[Features]
    groups: Sequence[str] | None
    held: Sequence[Case]
    held_out: Sequence[Features]
    test: Sequence[Case]

    def seen(self, images: Iterable[Image]) -> list[Features]:
        """What the layers show of images, a few in memory at a time."""
        return features(self.predictor, (Case(f"c{k}", {"image": i}) for k, i in enumerate(images)))


def watch(run: Path, data: Path, *, device: str = "cpu") -> Watched:
    """Open a finished run and look at its cases with its first member."""
    bundle = open_bundle(run)
    predictor = Predictor(bundle, device=device, accept_mismatch=True)
    cohort = cohorts.read(data)
    by = {c.id: c for c in cohort.cases}
    folds = json.loads((run / "folds.json").read_text(encoding="utf-8"))
    held = [by[i] for i in folds["folds"][0]]
    learned = [by[i] for fold in folds["folds"][1:] for i in fold]
    target = bundle.stages[0].plan.task.target or ""
    words = [c.targets.get(target) for c in learned]
    groups = [str(w) for w in words] if all(isinstance(w, str) for w in words) else None
    return Watched(
        predictor,
        cohort,
        features(predictor, learned),
        groups,
        held,
        features(predictor, held),
        [by[i] for i in folds["test"]],
    )


def read(data: Path) -> Sequence[Case]:
    """The cases of a cohort."""
    return cohorts.read(data).cases


def cases_of(run: Path, data: Path, split: str) -> list[Case]:
    """The cases of one split of a run."""
    ids = set(json.loads((run / "folds.json").read_text(encoding="utf-8"))[split])
    return [c for c in read(data) if c.id in ids]


def turned(image: Image) -> Image:
    """The same voxels in the opposite order of slices and rows, as if they had been sent so."""
    return replace(image, array=image.array[..., ::-1, ::-1, :].copy())


def features(predictor: Predictor, cases: Iterable[Case], *, at_once: int = 32) -> list[Features]:
    """What the first member's layers show of cases, as they are watched while it answers."""
    loaded = predictor.stages[0]
    members = Members(loaded.task, loaded.models, loaded.stage.plan, predictor.device)
    found: list[Features] = []
    part = []
    for case in cases:
        part.append(predictor.encoded(case).example)
        if len(part) == at_once:
            found += alarms.gathered(members, part)
            part = []
    return found + (alarms.gathered(members, part) if part else [])


def detectors(of: Watched, *, rate: float) -> dict[str, alarms.Alarm]:
    """Every detector, fitted as `fit` does it."""
    logits = of.groups is not None and of.held_out[0].raw is not None
    member = of.predictor.bundle.stages[0].members[0]
    return {
        name: alarms.fitted(
            name, of.training, of.held_out, member=member, groups=of.groups, logits=logits, rate=rate
        )
        for name in registry.names("infer.novelty")
    }


def scores(judges: Mapping[str, alarms.Alarm], seen: Sequence[Features]) -> dict[str, Array]:
    """How strange each case is to each detector, and by the first member's probabilities where it has any."""
    found = {name: judge.score(seen) for name, judge in judges.items()}
    if all(f.raw is not None for f in seen):
        raw = np.stack([f.raw for f in seen if f.raw is not None])
        p = np.exp(raw - raw.max(axis=1, keepdims=True))
        found[PROBABILITY[0]] = -(p / p.sum(axis=1, keepdims=True)).max(axis=1)
        found[PROBABILITY[1]] = -energy(raw)
    return found


def conditions(of: Watched, cases: Sequence[Case]) -> dict[str, list[Features]]:
    """The same cases with something wrong with them, at three strengths, by what it is."""
    images = [load_reference(c) for c in cases]
    return {
        f"{name} {k}": of.seen(degradations.degraded(i, way, amount, seed=n) for n, i in enumerate(images))
        for name, way in SHIFTS.items()
        for k, amount in enumerate(degradations.get(way).amounts, start=1)
    }


def planted(cases: Sequence[Case], *, seed: int) -> dict[str, Iterable[Image]]:
    """Images made of ordinary ones that no ordinary one is: to choose a detector by, never to report it with."""
    images = [load_reference(c) for c in cases]
    generator = np.random.default_rng(seed)
    return {
        "negative": (replace(i, array=i.array.max() - (i.array - i.array.min())) for i in images),
        "upside down": (replace(i, array=i.array[..., ::-1, :].copy()) for i in images),
        "shuffled": (replace(i, array=_shuffled(i.array, generator)) for i in images),
    }


def _shuffled(array: Array, generator: np.random.Generator) -> Array:
    """The same blocks of an eighth of each side in another order."""
    out, n = array.copy(), [max(1, size // 8) for size in array.shape[-2:]]
    places = [(y, x) for y in range(0, 8 * n[0], n[0]) for x in range(0, 8 * n[1], n[1])]
    for to, k in zip(places, generator.permutation(len(places)), strict=True):
        at = places[k]
        piece = array[..., at[0] : at[0] + n[0], at[1] : at[1] + n[1]]
        if (
            piece.shape[-2:]
            == (n[0], n[1])
            == out[..., to[0] : to[0] + n[0], to[1] : to[1] + n[1]].shape[-2:]
        ):
            out[..., to[0] : to[0] + n[0], to[1] : to[1] + n[1]] = piece
    return out


def pictures(paths: Sequence[Path], n: int, *, seed: int = 0, grey: bool = False) -> list[Image]:
    """Some pictures of a folder, drawn by a seed."""
    from PIL import Image as Pictures

    chosen = np.random.default_rng(seed).permutation(len(paths))[:n]
    found = []
    for k in sorted(chosen):
        picture = Pictures.open(sorted(paths)[k])
        found.append(formats.image_of(picture.convert("L" if grey else "RGB")))
    return found


# --- figures


def auroc(clean: Array, odd: Array) -> float:
    """How often a strange case scores higher than an ordinary one; ties count half."""
    ordered = np.sort(clean)
    below, upto = np.searchsorted(ordered, odd, "left"), np.searchsorted(ordered, odd, "right")
    return float((below + upto).mean() / 2 / len(clean))


def fpr95(clean: Array, odd: Array) -> float:
    """The share of strange cases that pass where 95 % of the ordinary ones do."""
    return float((odd <= np.quantile(clean, 0.95, method="higher")).mean())


def over(clean: Array, odds: Sequence[Array], *, seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """Means of both figures over several sets of strange cases, each with its 95 % bootstrap interval over cases.

    A set as long as `clean` is taken for the same cases, and is resampled with them.
    """
    generator = np.random.default_rng(seed)
    draws: dict[str, list[float]] = {"auroc": [], "fpr95": []}
    for k in range(RESAMPLES + 1):
        rows = np.arange(len(clean)) if k == 0 else generator.integers(0, len(clean), len(clean))
        found: dict[str, list[float]] = {"auroc": [], "fpr95": []}
        for odd in odds:
            own = rows if len(odd) == len(clean) else generator.integers(0, len(odd), len(odd))
            chosen = odd if k == 0 else odd[own]
            found["auroc"].append(auroc(clean[rows], chosen))
            found["fpr95"].append(fpr95(clean[rows], chosen))
        for name, values in found.items():
            draws[name].append(float(np.mean(values)))
    ends = {name: np.quantile(values[1:], [0.025, 0.975]) for name, values in draws.items()}
    return {name: (values[0], float(ends[name][0]), float(ends[name][1])) for name, values in draws.items()}


def overhead(of: Watched, judge: alarms.Alarm, cases: Sequence[Case], *, repeats: int) -> tuple[float, float]:
    """How long answers take with the alarm, as a share of without: one case at a time, and all in one pass.

    The members' least process time of several tries each, by turns.
    """
    without = of.predictor
    with_it = Predictor(without.bundle, device="cpu", accept_mismatch=True)
    with_it.stages = (replace(without.stages[0], alarm=judge), *without.stages[1:])
    held = [replace(c, images={"image": load_reference(c)}, reference="image") for c in cases]

    def took(predictor: Predictor, joined: bool) -> float:
        began = time.process_time()
        if joined:
            predictor.together(held)
        else:
            for case in held:
                predictor(case)
        return time.process_time() - began

    ratios = []
    for joined in (False, True):
        tries = [(took(without, joined), took(with_it, joined)) for _ in range(repeats + 1)][1:]
        ratios.append(min(t[1] for t in tries) / min(t[0] for t in tries))
    return ratios[0], ratios[1]
