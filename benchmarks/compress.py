"""BreastMNIST, BUSI and Hippocampus through `compress`: throughput and size beside the original's, and what it costs.

Each run has five members, so that every training case is out of fold for one of them. A model that drops more than is
allowed must be refused: of each run the same with no drop at all allowed, whose refusal is looked for.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import _fits, _quick, _record
from benchmarks._figures import Figure, at_least, at_most

SECTION = "Compression"
SOAK = False
SEEDS = (0,)
FASTER, SMALLER, DROP = 3.0, 1 / 3, 0.005
FEWER, DROP_OF_FEWER = 0.5, 0.01
TRAINED = ("prune-filters", "distil")
FOLDS = ("--folds", "5")


@dataclass(frozen=True)
class Data:
    """A data set of the benchmark: where it lies, its time limit, and further options of its fit."""

    name: str
    place: str
    limit: str
    options: tuple[str, ...] = ()


SETS = (
    Data("breastmnist", "medmnist/breastmnist.npz", "10m"),
    Data("busi", "busi", "10m"),
    Data("hippocampus", "hippocampus", "30m"),
)


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Each data set by integers to the target, then by pruning and by distillation. Quick: a phantom's pictures."""
    rows: list[Figure] = []
    if quick:
        options = (*FOLDS[:1], "2", *_quick.OPTIONS, "--set", "train.members=2")
        made = _fits.fit(_quick.pictures(folder), folder / "run", limit=_quick.LIMIT, seed=0, options=options,
                         test_split=False).run  # fmt: skip
        return of_one("phantom", made, folder, seed=0, most=0.9, trained=False)
    for seed in seeds:
        for one in SETS:
            rows += of_one(one.name, fitted(one, seed), folder / f"seed-{seed}", seed=seed)
    return rows


def fitted(one: Data, seed: int) -> Path:
    """A run of five members, kept for later benchmarks."""
    options = (*one.options, *FOLDS)
    if one.name == "hippocampus":
        options = (*options, "--split", str(_fits.shared("hippocampus_split.csv")))
    name = f"compress-{one.name}-{seed}"
    return _fits.kept(
        _fits.shared(one.place), name, limit=one.limit, seed=seed, options=options, test_split=True
    )


def of_one(
    name: str, run: Path, folder: Path, *, seed: int, most: float = DROP, trained: bool = True
) -> list[Figure]:
    """What came of one run: by the ways of `auto`, with no drop allowed, and by the ways that train."""
    rows = to_target(name, run, folder / f"{name}-2x", seed=seed, most=most)
    rows.append(refused(name, run, folder / f"{name}-none", seed=seed))
    for way in TRAINED if trained else ():
        rows += halved(name, run, folder / f"{name}-{way}", way=way, seed=seed)
    return rows


def to_target(name: str, run: Path, out: Path, *, seed: int, most: float) -> list[Figure]:
    """Throughput, size and drop of what `--target 2x` takes."""
    code, found, wall = compressed(run, out, "--target", "2x", "--max-drop", str(most))
    if code:
        return [Figure(f"{name}: compressed", "no", "yes", False, str(seed), note=said(found))]
    one, original = chosen(found), found["original"]["cost"]
    cost, drop = one["cost"], one["drop"]
    note = f"{one['name']}, {cost['runtime']}, {cost['threads']} threads; {cost['rounds']} turns; {wall:.0f} s in all"
    size = cost["weights_bytes"] / original["weights_bytes"]
    spent = (
        f"{original['joules']} J to {cost['joules']} J a case, {cost['energy_how']}" if cost["joules"] else ""
    )
    on = f"drop {drop['drop']:.4f}, n = {drop['patients']} patients out of fold; {drop['how']}"
    word = str(seed)
    return [
        at_least(f"{name}: throughput / torch", cost["ratio"], FASTER, seed=word, note=note),
        at_most(f"{name}: weights / original's", size, SMALLER, seed=word, note=spent),
        at_most(
            f"{name}: {drop['figure']}, upper bound of the drop",
            drop["upper"],
            most,
            digits=4,
            seed=word,
            note=on,
        ),
        *tests(name, found, seed),
    ]


def refused(name: str, run: Path, out: Path, *, seed: int) -> Figure:
    """Whether integers whose drop may be above 0 are refused where no drop is allowed, and nothing is sealed."""
    code, found, _ = compressed(run, out, "--max-drop", "0", "--ways", "quantise-static")
    above = code == 2 and not (out / "bundle").exists()
    kept = code == 0 and chosen(found)["drop"]["upper"] <= 0
    note = said(found) if code else "its drop is surely none, so that it is allowed"
    return Figure(
        f"{name}: more than is allowed",
        "refused" if above else "allowed",
        "refused",
        above or kept,
        str(seed),
        note,
    )


def halved(name: str, run: Path, out: Path, *, way: str, seed: int) -> list[Figure]:
    """Operations that a way leaves, and its drop."""
    code, found, wall = compressed(run, out, "--max-drop", str(DROP_OF_FEWER), "--ways", way, "--target", "1")
    tried = next((one for one in found.get("tried", ()) if one["name"] == way and "cost" in one), None)
    if tried is None:
        return [Figure(f"{name}: {way}", "not tried", "half", False, str(seed), note=said(found))]
    share = tried["cost"]["macs"] / found["original"]["cost"]["macs"]
    drop, word = tried["drop"], str(seed)
    on = f"drop {drop['drop']:.4f}, n = {drop['patients']} patients out of fold; exit code {code}"
    upper = drop["upper"] if drop["upper"] is not None else 1.0
    return [
        at_most(f"{name}: {way}, operations / original's", share, FEWER, seed=word, note=f"{wall:.0f} s"),
        at_most(
            f"{name}: {way}, upper bound of the drop", upper, DROP_OF_FEWER, digits=4, seed=word, note=on
        ),
    ]


def tests(name: str, found: dict[str, Any], seed: int) -> list[Figure]:
    """The figure on test cases of both, which nothing was chosen by."""
    figure, test = found["figure"], found["test"]
    if not test or figure not in test["original"]:
        return []
    both = [test[side][figure]["value"] for side in ("original", "compressed")]
    value = " to ".join("not defined" if v is None else f"{v:.4f}" for v in both)
    note = f"{test['cases']} test cases"
    return [
        Figure(f"{name}: {figure} on test cases, original to compressed", value, seed=str(seed), note=note)
    ]


def compressed(run: Path, out: Path, *options: str) -> tuple[int, dict[str, Any], float]:
    """The command as a user runs it: its exit code, compress.json, and seconds. One that was begun goes on."""
    resume = ("--resume",) if (out / "grid.json").is_file() else ()
    began = time.monotonic()
    words = _fits.vesalius("compress", str(run), "-o", str(out), *options, *resume)
    done = subprocess.run(words, cwd=_record.ROOT, capture_output=True, text=True, check=False)
    wall, file = time.monotonic() - began, out / "compress.json"
    found = (
        json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"verdict": done.stderr[-500:]}
    )
    return done.returncode, found, wall


def chosen(found: dict[str, Any]) -> dict[str, Any]:
    """The trial that was taken."""
    one: dict[str, Any] = next(t for t in found["tried"] if t["name"] == found["chosen"])
    return one


def said(found: dict[str, Any]) -> str:
    """Why nothing came of it, in short."""
    return (
        "; ".join(f"{t['name']}: {t['why']}" for t in found.get("tried", ()))[:400]
        or str(found["verdict"])[:400]
    )
