"""What suits a detector, by folds of BCCD's training pictures: one choice changed at a time."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _arms, _fits, _quick
from benchmarks._arms import Arm
from benchmarks._figures import Figure

SECTION = "Boxes, counts, numbers and grades"
SOAK = True
SEEDS = (0,)
LIMIT = "20m"
STEPS = 400  # of each member, whatever the clock says: arms that cost more are not held back by it
NAMES = ("ap50", "ap", "count_relative")


def _set(*settings: str) -> tuple[str, ...]:
    return tuple(word for setting in settings for word in ("--set", setting))


DEFAULT = Arm("default")
ARMS = (
    Arm("side-256", _set("data.size=[1,192,256]")),
    Arm("side-416", _set("data.size=[1,320,416]")),
    Arm("finest-4", _set("task.options.finest=4", "task.options.levels=4")),
    Arm("width-96", _set("task.options.width=96")),
    Arm("heads-1", _set("task.options.depth=1")),
    Arm("giou", _set("task.options.box_loss=giou")),
    Arm("rate-2e-3", _set("train.lr=0.002")),
    Arm("all-learn", _set("train.phases=[]")),
    Arm("no-mirror", _set("infer.mirror=[]")),
    Arm("nothing", ("--init", "none")),
)


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit an arm, judged by what each member says of the fold that it never saw. Quick: a phantom, and two arms."""
    options = ("--target", "boxes", "--folds", "5", *_set(f"train.steps={STEPS}"))
    if quick:
        data, place, seeds, arms, limit = _quick.smears(folder), folder, (0,), ARMS[5:6], "60s"
        options = ("--target", "boxes", "--folds", "2", *_quick.OPTIONS)
    else:
        place, arms, limit = _arms.kept("box_choices"), ARMS, LIMIT
        data = _training_pictures(_fits.shared("bccd"), place)
    found = _arms.carried_out(
        data, (DEFAULT, *arms), place / "runs", seeds=seeds, limit=limit, options=options, test_split=False
    )
    return _arms.beside_default(found, DEFAULT.name, NAMES, by="picture")


def _training_pictures(data: Path, place: Path) -> Path:
    """Return a folder with the pictures that the data's own list calls training, and their XML files."""
    made = place / "data"
    if made.is_dir():
        return made
    scratch = place / "data.part"
    shutil.rmtree(scratch, ignore_errors=True)
    listed = next(data.rglob("train.txt")).read_text(encoding="utf-8").split()
    for name in ("Annotations", "JPEGImages"):
        (scratch / name).mkdir(parents=True)
        for path in (data / name).iterdir():
            if path.stem in listed:
                shutil.copy(path, scratch / name / path.name)
    scratch.rename(made)
    return made
