"""Volumes unlike those of training, by a model of masks: what is found, and whether ordinary ones raise the alarm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import _fits, _quick, _strange
from benchmarks._figures import Figure
from benchmarks.novelty import STRANGE, measured
from vesalius.prepare.case import load_reference
from vesalius.verbs.phantom import phantom

SECTION = "Unlike images"
SOAK = False
SEEDS = (0,)
LIMIT = "30m"
CASES = 250  # enough for a test split of 50 and for 40 held out
SIZE = (16, 40, 40)
PHANTOM_SEED = 5
OPTIONS = tuple(
    word
    for setting in ("train.members=1", "train.steps=200", "train.validations=1", "net.scale=0.25")
    for word in ("--set", setting)
)


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Organs of the CT phantom with masks: the same with something wrong, upside down, and MR of heads.

    A finished run in `runs/benchmarks/phantom-volumes-SEED` is taken. Quick: fewer and smaller ones, hardly trained.
    """
    cases, size = (100, (8, 24, 24)) if quick else (CASES, SIZE)
    data = phantom(folder / "volumes", cases=cases, size=size, seed=PHANTOM_SEED)
    rows = []
    for seed in _quick.SEEDS if quick else seeds:
        if quick:
            options = ("--target", "mask", *_quick.OPTIONS)
            out = folder / "run"
            run = _fits.fit(data, out, limit="10m", seed=seed, options=options, test_split=False).run
        else:
            options = ("--target", "mask", *OPTIONS)
            name = f"phantom-volumes-{seed}"
            run = _fits.kept(data, name, limit=LIMIT, seed=seed, options=options, test_split=False)
        test = [load_reference(c) for c in _strange.cases_of(run, data, "test")]
        other = {"near: upside down": [_strange.turned(image) for image in test]}
        if not quick:
            brains = _strange.read(_fits.shared("hippocampus"))[:STRANGE]
            other["far: MR of the hippocampus"] = [load_reference(c) for c in brains]
        rows += measured(run, data, other, {}, name="phantom, volumes", seed=str(seed))
    return rows
