"""What suits a net with weights of ImageNet, by folds of BUSI's training cases: one choice changed at a time."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _arms, _fits
from benchmarks._arms import Arm
from benchmarks._figures import Figure
from vesalius.verbs.phantom import phantom

SECTION = "Weights of others"
SOAK = True
SEEDS = (0,)
LIMIT = "10m"
NAMES = ("auc", "accuracy", "log_loss")


def _set(*settings: str) -> tuple[str, ...]:
    return tuple(word for setting in settings for word in ("--set", setting))


DEFAULT = Arm("default")
ARMS = (
    Arm("nothing", ("--init", "none")),
    Arm("lite0", ("--init", "efficientnetlite0-imagenet")),
    Arm("side-160", _set("data.size=[1,160,160]")),
    Arm("side-192", _set("data.size=[1,192,192]")),
    Arm("all-learn", _set("train.phases=[]")),
    Arm("gradual", ("--preset", "gradual")),
    Arm("rate-2e-3", _set("train.lr=0.002")),
    Arm("no-mixup", _set("augment.mixup=0")),
)
QUICK = _set("train.steps=2", "train.batch=4", "train.validations=1", "data.size=[1,64,64]")


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit an arm, judged by what each member says of the fold that it never saw. Quick: a phantom, and two arms."""
    if quick:
        data = phantom(folder / "pictures", cases=16, format="png", size=(8, 96, 96)) / "classes"
        place, seeds, arms, options, limit = folder, (0,), ARMS[:1], (*QUICK, "--folds", "2"), "60s"
    else:
        place, arms, options, limit = _arms.kept("weights_folds"), ARMS, ("--folds", "5"), LIMIT
        data = _training_cases(_fits.shared("busi"), place)
    found = _arms.carried_out(
        data, (DEFAULT, *arms), place / "runs", seeds=seeds, limit=limit, options=options, test_split=False
    )
    return _arms.beside_default(found, DEFAULT.name, NAMES, by="patient")


def _training_cases(data: Path, place: Path) -> Path:
    """Return a folder with the pictures that the split of `weights_busi` does not test on, in their class folders."""
    made = place / "data"
    if made.is_dir():
        return made
    with _arms.split_file(data, place).open(encoding="utf-8") as file:
        test = {row["case"] for row in csv.DictReader(file) if row["split"] == "test"}
    scratch = place / "data.part"
    shutil.rmtree(scratch, ignore_errors=True)
    for path in sorted(data.rglob("*.png")):
        if path.stem not in test:
            (scratch / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, scratch / path.parent.name / path.name)
    scratch.rename(made)
    return made
