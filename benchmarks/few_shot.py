"""Five pictures a class of BUSI on frozen features of ImageNet weights and of a net from nothing, 100 episodes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _fits, _quick
from benchmarks._figures import Figure
from vesalius.verbs.few_shot import FewShotFigure, few_shot

SECTION = "Accuracy"
SOAK = False
SEEDS = (0,)
WEIGHTS = "mobilenetv2-imagenet"
SHOTS, EPISODES = 5, 100


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Both heads, accuracy and AUC, with both intervals. No model is made of it and nothing is chosen by it. Quick: a
    phantom's pictures, three episodes."""
    data = _quick.pictures(folder) if quick else _fits.shared("busi")
    rows: list[Figure] = []
    for seed in seeds[:1] if quick else seeds:
        began = time.monotonic()
        found = few_shot(
            WEIGHTS,
            data,
            shots=2 if quick else SHOTS,
            episodes=3 if quick else EPISODES,
            seed=seed,
            settings={"data.size": [1, 64, 64]} if quick else {},
        )
        drawn = f"{found.ways} classes, {found.shots} shots, {found.episodes} episodes of {found.cases} cases"
        for f in found.figures:
            chance = "" if "-" in f.features else f"by lot {found.chance[f.metric]:.3f}"
            rows.append(_row(f, seed, chance, who="patients" if found.patients_known else "unlike pictures"))
        took = time.monotonic() - began
        rows.append(Figure("few-shot: wall time", f"{took:.0f} s", seed=str(seed), note=drawn))
    return rows


def _row(f: FewShotFigure, seed: int, note: str, *, who: str) -> Figure:
    """A figure with the interval over episodes, and in the note that over patients."""
    patients = f"over {f.patients.n} {who} {f.patients}"
    return Figure(
        f"few-shot: {f.metric}, {f.head}, features of {f.features}",
        str(f.episodes),
        seed=str(seed),
        note="; ".join(filter(None, (patients, note))),
    )
