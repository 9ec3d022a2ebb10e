"""What `inspect` finds of faults that were planted into phantoms: precision and recall of each, and false alarms.

Twenty cohorts a seed, of 60 cases each; real sets follow where they are.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vesalius as vs
from benchmarks._figures import Figure, at_least, at_most
from benchmarks._fits import SHARED
from vesalius.phantom import make
from vesalius.reliability.inspect import Inspection

SECTION = "Data and their faults"
SOAK = False
SEEDS = (0, 1)
CASES = 60
COHORTS: dict[str, dict[str, Any]] = {
    "ct": {"format": "nifti", "options": {"size": "small"}},
    "chest": {"options": {"size": 96}},
    "oct": {},
}
FOUND = {  # the kinds of finding that name a planted fault
    "blurred": ("blurred",),
    "clipped": ("clipped", "saturated"),
    "motion": ("motion",),
    "truncated": ("truncated",),
    "mirrored": ("mirrored",),
    "upside_down": ("upside down",),
    "duplicates": ("duplicate",),
    "spacing": ("geometry: spacing",),
    "islands": ("stray islands",),
    "gaps": ("missing slices",),
    "marker": ("shortcut",),
    "leaks": ("leak",),
}
PLANS = (  # faults that are planted together, and the phantoms that can bear them
    ("blurred=0.1,clipped=0.1", ("ct", "chest", "oct")),
    ("motion=0.1,truncated=0.1", ("ct", "chest", "oct")),
    ("mirrored=0.1,upside_down=0.1", ("ct", "chest")),
    ("upside_down=0.1", ("oct",)),
    ("duplicates=0.1", ("ct", "chest", "oct")),
    ("islands=0.1", ("ct",)),
    ("gaps=0.1,spacing=0.1", ("ct",)),
    ("marker=1.0", ("ct", "oct")),
    ("leaks=0.1", ("ct", "chest", "oct")),
)
EXACT, TOLD = 0.9, 0.7
LEARNED = ("mirrored", "upside_down")  # what has to be learned from the cohort


@dataclass
class Counts:
    """How many cases were planted, found, and both."""

    planted: int = 0
    found: int = 0
    both: int = 0


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Each fault's precision and recall over phantoms and seeds, alarms on clean phantoms, then the real sets."""
    counts: dict[str, Counts] = defaultdict(Counts)
    alarms: dict[str, list[str]] = defaultdict(list)
    plans = PLANS[-3:-2] if quick else PLANS
    for seed in seeds[:1] if quick else seeds:
        for number, (faults, kinds) in enumerate(plans):
            for kind in kinds[:1] if quick else kinds:
                root = _cohort(folder / f"{kind}-{number}-{seed}", kind, seed, faults)
                _count(counts, root, vs.inspect(root / "cohort.csv", progress=False))
        for kind in COHORTS if not quick else ():
            root = _cohort(folder / f"{kind}-clean-{seed}", kind, seed, None)
            found = vs.inspect(root / "cohort.csv", progress=False)
            alarms["error"] += [f"{kind}: {f.text}" for f in found.findings if f.severity == "error"]
            alarms["warning"] += [f"{kind}: {f.kind}" for f in found.findings if f.severity == "warning"]
    rows = [figure for name, count in counts.items() for figure in _rows(name, count)]
    if quick:
        return rows
    rows.append(at_most("errors on clean phantoms", len(alarms["error"]), 0, digits=0))
    note = "; ".join(sorted(set(alarms["warning"])))
    rows.append(Figure("warnings on clean phantoms", str(len(alarms["warning"])), note=note))
    return [*rows, *_real()]


def _cohort(root: Path, kind: str, seed: int, faults: str | None) -> Path:
    return make(root, kind=kind, cases=CASES, seed=seed, faults=faults, **COHORTS[kind])


def _count(counts: dict[str, Counts], root: Path, found: Inspection) -> None:
    """Add up what was planted in one cohort, and what was found there."""
    faults = json.loads((root / "truth.json").read_text())["faults"]
    for name in dict.fromkeys(f["kind"] for f in faults):
        mine = [f for f in faults if f["kind"] == name]
        both = name in ("duplicates", "leaks")  # both cases of a pair are named
        planted = {f["case"] for f in mine} | ({f["of"] for f in mine} if both else set())
        named = {c for f in found.findings if f.kind in FOUND[name] for c in f.cases}
        counts[name].planted += len(planted)
        counts[name].found += len(named)
        counts[name].both += len(planted & named)


def _rows(name: str, count: Counts) -> Iterator[Figure]:
    bound = TOLD if name in LEARNED else EXACT
    note = f"{count.both} of {count.planted} planted, {count.found} named"
    yield at_least(f"{name}: precision", count.both / max(count.found, 1), bound, note=note)
    yield at_least(f"{name}: recall", count.both / count.planted, bound, note=note)


def _real() -> Iterator[Figure]:
    """Yield what is known to be wrong with the real sets, and whether it is said."""
    for name, what, seek, least in (
        ("bccd", "boxes without extent", lambda f: f.text.startswith("boxes: 2 boxes have no extent"), 1),
        ("hippocampus", "orphans", lambda f: "a label without" in f.text or f.kind == "orphans", 2),
        ("lung_ct_slices", "groups of equal pictures", lambda f: f.kind == "duplicate", 42),
        ("covid_cxr/table.csv", "shortcuts", lambda f: f.kind == "shortcut", 1),
    ):
        if (SHARED / name).exists():
            found = [f for f in vs.inspect(SHARED / name, progress=False).findings if seek(f)]
            note = "; ".join(f"{f.text}, {f.evidence}" for f in found if f.evidence)[:400]
            yield at_least(f"{name}: {what}", len(found), least, digits=0, note=note)
