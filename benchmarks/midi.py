"""`vesalius deidentify` on a synthetic cohort, scored by the ten kinds of action of the MIDI-B challenge."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _midi_cohort, _record
from benchmarks._figures import Figure, at_least
from benchmarks._fits import vesalius
from benchmarks._midi import KINDS, Score, score

SECTION = "De-identification"
SOAK = False
SEEDS = (0,)
PATIENTS, FEW = 20, 3
BOUND = 0.999
# MIDI-B's rules: dates shifted, descriptors cleaned, characteristics and safe private elements retained (all in the
# research profile), UIDs remapped (without retain-uids), pixels cleaned.
OPTIONS = ("--profile", "research", "--option", "clean-pixels")


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """The share of right actions, by kind and over all; each miss in a file there. Quick: three patients."""
    figures = []
    for seed in seeds:
        found = scored(folder / str(seed), seed=seed, patients=FEW if quick else PATIENTS)
        misses = folder / f"misses-{seed}.txt"
        misses.write_text("".join(f"{line}\n" for line in listed(found)), encoding="utf-8")
        figures += table(found, seed)
    return figures


def scored(folder: Path, *, seed: int, patients: int) -> Score:
    """Make a cohort, de-identify it with the command line and score what came out."""
    originals, out, secret = folder / "originals", folder / "out", folder / "key"
    key = _midi_cohort.make(originals, seed=seed, patients=patients)
    words = ("deidentify", str(originals), str(out), *OPTIONS, "--key", str(secret))
    done = subprocess.run(vesalius(*words), cwd=_record.ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"vesalius deidentify ended with {done.returncode}: {done.stderr[-2000:]}")
    return score(key, originals, pairs(out, secret))


def pairs(out: Path, secret: Path) -> dict[str, Path]:
    """Which output each original became: the file of names that the command leaves beside its key."""
    lines = Path(f"{secret}.{out.name}.names.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {str(row["source"]): out / row["out"] for row in rows if row.get("kind") and row.get("out")}


def table(found: Score, seed: int) -> list[Figure]:
    """Figures: over all, and by kind with how many were asked for."""
    asked = sum(found.asked.values())
    words = {"seed": str(seed), "note": f"{asked - len(found.misses)} of {asked}"}
    rows = [at_least("right actions", found.share(), BOUND, digits=5, **words)]
    for kind in KINDS:
        if found.asked.get(kind):
            wrong = Counter(m.check.path for m in found.misses if m.check.kind == kind)
            note = f"{found.asked[kind] - wrong.total()} of {found.asked[kind]}"
            note += "".join(f"; {n} in {path}" for path, n in wrong.most_common(5))
            rows.append(Figure(kind, f"{found.share(kind):.5f}", seed=str(seed), note=note))
    return rows


def listed(found: Score) -> list[str]:
    """Every miss in a line: kind, element or box, what was asked, what was found, the file."""
    return [
        f"{m.check.kind} | {m.check.path}{m.check.box or ''} | {m.check.value!r} | {m.found} | {m.check.file}"
        for m in found.misses
    ]
