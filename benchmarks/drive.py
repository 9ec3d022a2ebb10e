"""DRIVE by the defaults: which target was chosen and why, Dice inside the field of view, and the wall time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import _fits, _quick
from benchmarks._figures import Figure
from vesalius.core.plan import load_plan

SECTION = "Accuracy"
SOAK = False
SEEDS = (0,)
LIMIT = "10m"
EXPERTS = 0.788
ASKED = "the vessels, not the field of view"


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit a seed. Quick: a phantom's pictures with masks."""
    data = _quick.masks(folder) if quick else _fits.shared("drive/training")
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        fitted = _fits.fit(
            data,
            folder / f"seed-{seed}",
            limit=_quick.LIMIT if quick else LIMIT,
            seed=seed,
            options=_quick.OPTIONS if quick else (),
            test_split=not quick,
        )
        plan = load_plan(fitted.run / "plan.json")
        chosen = str(plan.task.target)
        note = plan.reasons.get("task.target", "")
        holds = None if quick else "mask" not in chosen.lower()
        rows.append(Figure("target", chosen, "" if quick else ASKED, holds, str(seed), note))
        rows += [*_fits.beside(fitted, ["dice"], seed), _fits.wall(fitted, seed)]
    if not quick:
        rows.append(Figure("two experts agree at", f"{EXPERTS}", note="Dice, published"))
    return rows
