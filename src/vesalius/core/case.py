"""Case: one patient's images at one time, with what is known about them; and Ref, where pixels lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vesalius.core.course import Course
from vesalius.core.errors import DataError
from vesalius.core.finding import Finding
from vesalius.core.image import Image
from vesalius.core.outlines import Outlines
from vesalius.core.shown import Shown, about, cut, some
from vesalius.core.words import counted

Split = Literal["train", "val", "test"]
IGNORED = -(2**15)  # in a mask: nobody knows what is here, so it counts in no loss and no metric
SURE = 255  # in a map of how likely a label is: it is surely there
NOBODY = 65535  # in such a map: no expert says anything here


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
    """A time to event: `time_days` until the event, or until the last look when it had not happened.

    `cause` says which of several events that exclude one another it was; None where only one is known of, or where none
    happened. `entry_days` is the time from which the patient was under observation (late entry, left truncation); None
    where that is the time 0.
    """

    time_days: float
    happened: bool
    cause: str | None = field(default=None, metadata={"stored": "where given"})
    entry_days: float | None = field(default=None, metadata={"stored": "where given"})


@dataclass(frozen=True, slots=True)
class Box:
    """A box in index coordinates of the reference image: `(z, y, x)`, `low` included, `high` excluded.

    Voxel k reaches from k to k + 1. `crowd` marks a region of many things, or one that a reader called difficult: as
    a truth it is neither asked for nor counted as missed, and what is found in it is no false alarm.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    label: str
    crowd: bool = field(default=False, metadata={"stored": "where given"})


@dataclass(frozen=True, slots=True)
class Instance:
    """One thing of a mask of ids: its id there, its label, and how likely it is one."""

    id: int
    label: str
    p: float = 1.0


@dataclass(frozen=True, slots=True)
class InstanceMask:
    """Which thing each voxel of the reference image belongs to: a mask of ids, 0 where nothing is, and their labels.

    `labels` are those of the ids; one that is not among them has the label `otherwise`, and where that is None it has
    none. Ids in `crowd` mark a region of many things, or of what a reader called difficult, as `Box.crowd` does.
    """

    ids: Ref | Image | Outlines
    labels: Mapping[int, str] = field(default_factory=dict)
    otherwise: str | None = None
    crowd: frozenset[int] = frozenset()

    def label_of(self, thing: int) -> str | None:
        """Return the label of an id; None where nothing says it."""
        return self.labels.get(thing, self.otherwise)

    @property
    def names(self) -> tuple[str, ...]:
        """The different labels, in the order of their ids, as far as they are known before the mask is read."""
        own = [self.labels[k] for k in sorted(self.labels)]
        return tuple(dict.fromkeys([*own, *([] if self.otherwise is None else [self.otherwise])]))


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a person showed on a case's reference image, to be answered about.

    `points` are `(z, y, x)` in index coordinates: one of a click, the low and the high corner of a box, those along a
    scribble. `label` is the label that is meant, if one is; `inside` says whether they lie inside of what is meant.
    """

    kind: Literal["click", "box", "scribble"]
    points: tuple[tuple[float, float, float], ...]
    label: str | None = None
    inside: bool = True

    def __post_init__(self) -> None:
        count = {"click": 1, "box": 2}.get(self.kind)
        if not self.points or (count is not None and len(self.points) != count):
            raise DataError(
                f"a {self.kind} has {counted(count, 'point') if count else 'one point or more'}",
                found=counted(len(self.points), "point"),
            )


def role_of(name: str) -> str:
    """Return the role of a numbered image, `view` for `view#2`; the name itself of any other."""
    role, sign, number = name.rpartition("#")
    return role if sign and number.isdigit() and role and not role[-1].isspace() else name


def said(value: Target) -> str:
    """Return a target in a few letters: a class's name, a number, or what sort of thing it is."""
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, float | int):
        return f"{value:.6g}"
    if isinstance(value, Ref):
        return cut(value.paths[0].name)
    if isinstance(value, tuple):
        return some((v if isinstance(v, str) else v.label for v in value), len(value)) or "none"
    if isinstance(value, Mapping):
        each = (
            f"{name} {v:.6g}" if isinstance(v, float | int) else f"{name} {said(v)}"
            for name, v in value.items()
        )
        return some(each, len(value)) or "none"
    if isinstance(value, InstanceMask):
        return f"instances of {some(value.names, len(value.names)) or 'nothing'}"
    if isinstance(value, Event):
        return f"{'event' if value.happened else 'none yet'} at {value.time_days:g} days"
    return repr(value)


# class name · several · number · time to event · where the mask lies, or the mask · boxes · instances · numbers, events
Target = (
    str
    | tuple[str, ...]
    | float
    | Event
    | Ref
    | Image
    | tuple[Box, ...]
    | InstanceMask
    | Mapping[str, float]
    | Mapping[str, Event]
)


@dataclass(frozen=True)
class Case(Shown):
    """One unit of prediction.

    `images` by name, one of them the `reference`, whose geometry every answer has. The others are resampled onto it
    only if they share its frame of reference or `registered` says so. Several images under one role are named by it
    and a number: `view#1`, `view#2`. A case without images has no reference (None). `targets`, `covariates` and
    `report` may be absent; `texts` are others by name. `findings` is what is known to be in the images, or not to
    be, whatever a report says of it; None where nobody wrote it down. `courses` are time courses without an image,
    by name. `prompts` are drawn on the reference image. `earlier` are the same patient's visits of before, the
    earliest first. `group` is what is shared beyond the patient: a site, a scanner. `region` limits where a mask is
    counted (a field of view). `split` is what the data's author declared, if anything. `declared` are the author's
    words for what each channel is (`CT`, or `FLAIR`, `T1w` …), where the files themselves do not say it. `shown` is the
    true mask that a simulated person points at where an answer is held against it; no model ever sees it.
    """

    id: str
    images: Mapping[str, Ref | Image]
    reference: str | None = "image"
    patient: str | None = None
    targets: Mapping[str, Target] = field(default_factory=dict)
    covariates: Mapping[str, float | str | None] = field(default_factory=dict)
    report: str | None = None
    region: Ref | Image | None = None
    split: Split | None = None
    registered: bool = False
    declared: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    prompts: tuple[Prompt, ...] = ()
    earlier: tuple[Visit, ...] = ()
    group: str | None = None
    courses: Mapping[str, Ref | Course] = field(default_factory=dict)
    findings: tuple[Finding, ...] | None = None
    shown: Ref | Image | None = field(default=None, compare=False, repr=False)

    @property
    def image(self) -> Ref | Image | None:
        """Return the reference image, or None where the case has none."""
        return None if self.reference is None else self.images.get(self.reference)

    def text(self, name: str = "report") -> str | None:
        """Return a text by its name, None without one or for blanks; `report` is the report unless one is called so."""
        found = self.texts.get(name, self.report if name == "report" else None)
        return found if found and found.strip() else None

    def _words(self) -> Iterable[str]:
        yield about(self.id)
        yield f"images: {some(self.images, len(self.images))}" if self.images else "no images"
        yield f"time courses: {some(self.courses, len(self.courses))}" if self.courses else ""
        for name, value in self.targets.items():
            yield f"{name}: {said(value)}"
        yield f"patient: {cut(self.patient)}" if self.patient is not None else ""
        yield f"split: {self.split}" if self.split is not None else ""

    def of_role(self, role: str) -> tuple[str, ...]:
        """Return the names of the images under a role, in order: the one of that name, or `role#1`, `role#2` …"""
        numbered = [n for n in self.images if n != role and role_of(n) == role]
        numbered.sort(key=lambda name: int(name.rpartition("#")[2]))
        return ((role,) if role in self.images else ()) + tuple(numbered)


@dataclass(frozen=True)
class Visit:
    """An earlier visit: its case, and how many days before the later one it was."""

    case: Case
    days_before: float
