"""Normal, drusen or fluid in the OCT phantom: a ViT beside a ResNet, and the default with weights of ImageNet.

Three ways and two seeds of 5 minutes: about 35 minutes. What is finished is taken again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import _arms, _fits, _phantoms, _quick
from benchmarks._figures import Figure
from vesalius.phantom import oct as scans

SECTION = "Sequences and sources"
SOAK = False
SEEDS = (0, 1)
CASES, TESTED = 960, 3
LIMIT = "5m"
BARE = ("--init", "none")
ARMS = (
    _arms.Arm("resnet-18", ("--set", "net.name=resnet-18", *BARE)),
    _arms.Arm("vit-tiny", ("--set", "net.name=vit-tiny", *BARE)),
    _arms.Arm("default"),
)
SIZE = ("--set", "data.size=[1,96,128]")  # the same for all, so that patches of a ViT fit
TINY = ("--set", "data.size=[1,32,32]", *_quick.OPTIONS, "--set", "infer.novelty=none")
METRICS = ("auc", "balanced_accuracy", *(f"auc/{name}" for name in scans.CLASSES))


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Every arm on one split, resumed where interrupted. Quick: 48 small scans and 20 steps of each."""
    home = folder if quick else _fits.KEPT
    options = {"size": 64} if quick else {}
    data = _phantoms.made(home / "oct-cohort", "oct", 48 if quick else CASES, options=options)
    out = home / "oct"
    split = _phantoms.split(data, out, tested=TESTED)
    found = _arms.carried_out(
        data / "cohort.csv",
        ARMS,
        out,
        seeds=seeds[:1] if quick else seeds,
        limit=_phantoms.LIMIT if quick else LIMIT,
        options=("--target", "class", "--split", str(split), *(TINY if quick else SIZE)),
        test_split=not quick,
    )
    rows = _phantoms.beside(data, "class", _phantoms.tested_in(split), scans.oracle, METRICS[:2])
    rows += _arms.figures(found, METRICS)
    for arm in ("vit-tiny", "default"):
        gain = _arms.difference(found["resnet-18"], found[arm], "auc")
        note = f"n {gain.n}, mean of {len(found[arm])} seeds"
        rows.append(Figure(f"{arm} less resnet-18: auc, paired", _fits.interval(gain), note=note))
    return rows
