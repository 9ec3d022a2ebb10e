"""Pre-training without targets: what each recipe's features tell after equal time, by neighbours and by rank."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from benchmarks import _fits, _quick, _record
from benchmarks._figures import Figure
from vesalius.verbs.phantom import phantom

SECTION = "Accuracy"
SOAK = True
SEEDS = (0, 1, 2)
LIMIT = "90s"
RECIPES = ("simclr", "vicreg", "dino", "mae", "restore")
CASES, QUICK_CASES = 600, 40
TOLD = {
    "neighbours": "balanced accuracy of 10 neighbours on held-out pictures",
    "effective_rank": "effective rank",
    "own_view": "nearest is another view",
}
TINY = ("train.steps=20", "train.batch=4", "train.validations=1", "data.size=[1,32,32]", "net.scale=0.25")


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A pre-training a recipe, data set and seed, each with the same time; a run that is there is taken again.

    The pictures that are looked at are those of the first fold, never those of the test split. Quick: a phantom alone.
    """
    few = QUICK_CASES if quick else CASES
    data = {"spots": phantom(folder / "spots", kind="spots", cases=few)}
    if not quick:
        data["busi"] = _fits.shared("busi")
    rows: list[Figure] = []
    for name, place in data.items():
        for recipe in RECIPES:
            found = [
                _looked(_run(place, folder, f"pretrain-{name}-{recipe}-{seed}", recipe, seed, quick=quick))
                for seed in (_quick.SEEDS if quick else seeds)
            ]
            rows += _rows(name, recipe, found, LIMIT if not quick else "20 steps")
    return rows


def _run(data: Path, folder: Path, name: str, recipe: str, seed: int, *, quick: bool) -> Path:
    """Return the folder of a finished pre-training; one that was begun goes on."""
    out = (folder if quick else _record.ROOT / "runs" / "benchmarks") / name
    if (out / "scorecard.json").is_file():
        return out
    words = ["pretrain", str(data), "-o", str(out), "--recipe", recipe, "--seed", str(seed)]
    words += [w for s in TINY for w in ("--set", s)] if quick else ["--time-limit", LIMIT]
    words += ["--resume"] if (out / "run.json").is_file() else []
    out.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        _fits.vesalius(*words), cwd=_record.ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode > 1:  # 1 is a collapse, which is a result
        raise RuntimeError(f"vesalius {' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return out


def _looked(run: Path) -> tuple[Mapping[str, float], Mapping[str, float], float]:
    """Return the figures before the first step and after the last one, and that step."""
    (log,) = (run / "logs").glob("*-0.csv")
    with log.open(newline="") as file:
        rows = [(int(row["step"]), row["figure"], float(row["value"])) for row in csv.DictReader(file)]
    last = max(step for step, *_ in rows)
    before, after = ({name: value for step, name, value in rows if step == at} for at in (0, last))
    return before, after, last


def _rows(
    data: str,
    recipe: str,
    found: Sequence[tuple[Mapping[str, float], Mapping[str, float], float]],
    limit: str,
) -> list[Figure]:
    """Return a figure for each thing that is told: the mean over seeds after learning, and before it."""
    rows = []
    for name, words in TOLD.items():
        pairs = [(b[name], a[name]) for b, a, _ in found if name in a and name in b]
        if not pairs:
            continue
        each = ", ".join(f"{after:.3f}" for _, after in pairs)
        told = f"{mean(a for _, a in pairs):.3f} (before learning {mean(b for b, _ in pairs):.3f})"
        steps = ", ".join(f"{step:.0f}" for *_, step in found)
        note = f"{limit} each, {steps} steps; of each seed: {each}"
        rows.append(Figure(f"{data}, {recipe}: {words}", told, note=note))
    return rows
