"""Stand-ins for `--quick`: small phantoms and settings, so that a benchmark's own code can be tried in a minute."""

from __future__ import annotations

from pathlib import Path

from vesalius.verbs.phantom import phantom

LIMIT = "60s"
SETTINGS = ("net.scale=0.125", "train.steps=20", "train.members=1", "train.batch=2", "train.validations=1")
OPTIONS = tuple(word for setting in SETTINGS for word in ("--set", setting))
SEEDS = (0,)


def pictures(folder: Path) -> Path:
    """A phantom as pictures in class folders."""
    return phantom(folder / "pictures", cases=40, format="png") / "classes"


def masks(folder: Path) -> Path:
    """A phantom as pictures with masks in sibling folders."""
    return phantom(folder / "masks", cases=16, format="png") / "pairs"


def volumes(folder: Path) -> Path:
    """A phantom as small volumes with masks."""
    return phantom(folder / "volumes", cases=10, size=(24, 32, 32))


CELLS = ("platelet", "red_cell", "white_cell")


def smears(folder: Path) -> Path:
    """A phantom's blood smears as pictures with boxes."""
    options = {"size": 96, "fields": 1}
    return phantom(folder / "smears", kind="smear", cases=16, options=options)


def chests(folder: Path) -> Path:
    """A phantom's chest X-rays as pictures with boxes of findings."""
    return phantom(folder / "chests", kind="chest", cases=16)


def lesions(folder: Path) -> Path:
    """A phantom's CT with many lesions, as small volumes with a table of their boxes."""
    options = {"size": (24, 32, 32), "lesions": "many"}
    return phantom(folder / "lesions", cases=10, options=options)
