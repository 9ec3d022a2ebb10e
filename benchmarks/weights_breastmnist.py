"""BreastMNIST in ten minutes: the default, which takes no weights for thumbnails, against ImageNet's; three seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import _arms, _fits, _quick
from benchmarks._arms import Arm
from benchmarks._figures import Figure, at_least

SECTION = "Weights of others"
SOAK = True
SEEDS = (0, 1, 2)
LIMIT = "10m"
BARS = {"auc": 0.91, "accuracy": 0.86}
ARMS = (Arm("default"), Arm("imagenet", ("--init", "mobilenetv2-imagenet")))
QUICK = ("train.steps=3", "train.members=1", "train.batch=4", "train.validations=1", "data.size=[1,64,64]")


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Six fits of ten minutes, each kept under runs/benchmarks. Quick: a phantom's pictures, and a few steps."""
    data = _quick.pictures(folder) if quick else _fits.shared("medmnist/breastmnist.npz")
    options = tuple(word for setting in QUICK for word in ("--set", setting)) if quick else ()
    found = _arms.carried_out(
        data,
        ARMS,
        folder / "runs" if quick else _arms.kept("weights_breastmnist"),
        seeds=(0,) if quick else seeds,
        limit=_quick.LIMIT if quick else LIMIT,
        options=options,
        test_split=not quick,
    )
    rows = _arms.figures(found, list(BARS))
    default, other = found["default"], found["imagenet"]
    for name, bar in BARS.items():
        gain = _arms.difference(default, other, name)
        no_worse = gain.low is not None and gain.low <= 0
        what = f"{name}: from ImageNet's weights less the default, mean of {len(default)} seeds, paired by patient"
        rows.append(Figure(what, str(gain), "not > 0", None if quick else no_worse, note=f"n {gain.n}"))
        if not quick:
            rows.append(at_least(f"default: mean {name}", _fits.mean(default, name), bar, digits=4))
    return rows
