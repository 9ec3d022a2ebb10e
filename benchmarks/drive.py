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
        rows.append(Figure("target", chosen, seed=str(seed), note=note, **_vessels(chosen, quick)))
        rows += [*_fits.beside(fitted, ["dice"], seed), _fits.wall(fitted, seed)]
    if not quick:
        rows.append(Figure("two experts agree at", f"{EXPERTS}", note="Dice, published"))
    return rows


def _vessels(chosen: str, quick: bool) -> dict[str, object]:
    if quick:
        return {}
    return {"bound": "the vessels, not the field of view", "holds": "mask" not in chosen.lower()}
