"""BUSI in ten minutes by the defaults, which begin from weights of ImageNet, against `--init none`: three seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import _arms, _fits
from benchmarks._arms import Arm
from benchmarks._figures import Figure, at_least
from vesalius.verbs.phantom import phantom

SECTION = "Weights of others"
SOAK = True
SEEDS = (0, 1, 2)
LIMIT = "10m"
NAMES = ("auc", "accuracy", "log_loss")
BAR = 0.94
ARMS = (Arm("nothing", ("--init", "none")), Arm("default"))
QUICK = ("train.steps=3", "train.members=1", "train.batch=4", "train.validations=1", "data.size=[1,64,64]")


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Six fits of ten minutes, each kept under runs/benchmarks. Quick: a phantom's pictures, and a few steps."""
    if quick:
        data = phantom(folder / "pictures", cases=16, format="png", size=(8, 96, 96)) / "classes"
        options = tuple(word for setting in QUICK for word in ("--set", setting))
        found = _arms.carried_out(
            data, ARMS, folder / "runs", seeds=(0,), limit="60s", options=options, test_split=False
        )
        return _shown(found, judged=False)
    data, place = _fits.shared("busi"), _arms.kept("weights_busi")
    split = ("--split", str(_arms.split_file(data, place)))
    found = _arms.carried_out(data, ARMS, place, seeds=seeds, limit=LIMIT, options=split, test_split=True)
    return _shown(found, judged=True)


def _shown(found: dict[str, list[_fits.Fitted]], *, judged: bool) -> list[Figure]:
    nothing, default = found["nothing"], found["default"]
    rows = _arms.figures(found, NAMES)
    for name in NAMES:
        gain = _arms.difference(nothing, default, name)
        ahead = gain.low is not None and gain.low > 0
        asked = judged and name == "auc"
        what = f"{name}: default less from nothing, mean of {len(default)} seeds, paired by patient"
        rows.append(
            Figure(what, str(gain), "> 0" if asked else "", ahead if asked else None, note=f"n {gain.n}")
        )
    if judged:
        rows.append(at_least("default: mean auc", _fits.mean(default, "auc"), BAR, digits=4, note="aim 0.96"))
    return rows
