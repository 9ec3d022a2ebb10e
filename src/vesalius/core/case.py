"""Case: one patient's images at one time, with what is known about them; and Ref, where pixels lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vesalius.core.image import Image
from vesalius.core.words import counted

Split = Literal["train", "val", "test"]
IGNORED = -(2**15)  # in a mask: nobody knows what is here, so it counts in no loss and no metric


@dataclass(frozen=True, slots=True)
class Ref:
    """Where an image or a mask lies, unread.

    `paths` is one file, or the files of one DICOM series; of what is drawn on an image (a DICOM segmentation, a
    structure set) its file and then the image's. `member` names an array inside a container (`train_images` of an
    npz), a stack of a multi-frame object, or segments by name; `index` is an item along the first axis. `part`
    says in words which of its series' stacks it is (`echo time 2.5`), also where its files alone make it that one.
    `values` are of a mask whose file does not hold its labels' own values: pairs of what the file holds and the label
    value that it stands for, or IGNORED.
    """

    paths: tuple[Path, ...]
    member: str | None = None
    index: int | None = None
    part: str = field(default="", compare=False, repr=False)
    values: tuple[tuple[int, int], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        text = (
            str(self.paths[0])
            if len(self.paths) == 1
            else f"{self.paths[0].parent} ({counted(len(self.paths), 'file')})"
        )
        if self.member is not None:
            text += f":{self.member}"
        return text if self.index is None else f"{text}[{self.index}]"


@dataclass(frozen=True, slots=True)
class Event:
    """A time to event: `time_days` until the event, or until the last look when it had not happened."""

    time_days: float
    happened: bool


@dataclass(frozen=True, slots=True)
class Box:
    """A box in index coordinates of the reference image: `(z, y, x)`, `low` included, `high` excluded."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    label: str


# class name · several class names · number · time to event · where the mask lies, or the mask · boxes
Target = str | tuple[str, ...] | float | Event | Ref | Image | tuple[Box, ...]


@dataclass(frozen=True)
class Case:
    """One unit of prediction.

    `images` by name, one of them the `reference`, whose geometry every answer has. The others are resampled
    onto it only if they share its frame of reference or `registered` says so. `targets`, `covariates` and
    `report` may be absent. `region` limits where a mask is counted (a field of view). `split` is what the
    data's author declared, if anything. `declared` are the author's words for what each channel is (`CT`, or
    `FLAIR`, `T1w` …), where the files themselves do not say it.
    """

    id: str
    images: Mapping[str, Ref | Image]
    reference: str = "image"
    patient: str | None = None
    targets: Mapping[str, Target] = field(default_factory=dict)
    covariates: Mapping[str, float | str | None] = field(default_factory=dict)
    report: str | None = None
    region: Ref | Image | None = None
    split: Split | None = None
    registered: bool = False
    declared: tuple[str, ...] = ()
