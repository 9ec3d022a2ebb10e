"""Image: pixels with the geometry that is known of them, and nothing that is guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from vesalius.core.channels import are_colours
from vesalius.core.errors import GeometryError
from vesalius.core.shown import Shown, size, some
from vesalius.core.words import counted

Array = npt.NDArray[Any]
Triple = tuple[float, float, float]


@dataclass(frozen=True, eq=False, slots=True)
class Forms:
    """The two places that a NIfTI header has for one grid, as it stores them, and what was made of them.

    `fields` are the header's own, by name, so that an answer on the same grid can say the same. `affine` and
    `spacing_mm` are the image's. `used` names the one that they are of. `apart_mm` is how far the two put a corner
    apart, and `apart_voxels` the same in the smallest voxel; 0 where there is one alone, or it cannot be read.
    """

    fields: Mapping[str, Any]
    used: Literal["sform", "qform", ""]
    affine: Array | None
    spacing_mm: Triple | None
    apart_mm: float = 0.0
    apart_voxels: float = 0.0

    @property
    def disagree(self) -> bool:
        """Whether the two lie more than half a voxel apart."""
        return self.apart_voxels > 0.5

    @property
    def doubt(self) -> str | None:
        """What a person must know of the two in one sentence; None where they agree."""
        if not self.disagree:
            return None
        return f"its sform and its qform say places {self.apart_mm:.3g} mm apart; the {self.used} was used"

    def fit(self, image: Image) -> bool:
        """Return whether an image still lies where these forms have it."""
        if self.affine is None or image.affine is None:
            return self.affine is None and image.affine is None and self.spacing_mm == image.spacing_mm
        return bool(np.array_equal(self.affine, image.affine))


@dataclass(frozen=True, slots=True)
class Source:
    """Where pixels came from, in DICOM's terms; needed to write DICOM back into the same study.

    `sop_uids` are in the planes' order. `files` are where the objects lie on this machine, in any order, for who
    needs more of their headers, `member` and `index` what was read of a file that holds several, `part` which of a
    series' stacks in words, `revision` what tells objects from those that had the same UIDs before, `forms` the place
    as a NIfTI header says it; they are no part of the identity and are never written down.
    """

    study_uid: str | None = None
    series_uid: str | None = None
    frame_of_reference_uid: str | None = None
    sop_uids: tuple[str, ...] = ()
    files: tuple[Path, ...] = field(default=(), compare=False, repr=False, metadata={"stored": False})
    member: str | None = field(default=None, compare=False, repr=False, metadata={"stored": False})
    index: int | None = field(default=None, compare=False, repr=False, metadata={"stored": False})
    part: str = field(default="", compare=False, repr=False, metadata={"stored": False})
    revision: str = field(default="", compare=False, repr=False, metadata={"stored": False})
    forms: Forms | None = field(default=None, compare=False, repr=False, metadata={"stored": False})


@dataclass(frozen=True, eq=False)
class Image(Shown):
    """Pixels and their geometry.

    `array` is `(C, Z, Y, X)`, or `(T, C, Z, Y, X)` with `times_s`; a 2-D picture has `Z == 1`.
    `affine` (4 × 4) maps the index `(x, y, z)`, not the array's order, to LPS millimetres.
    `spacing_mm` is `(x, y, z)`: taken from the affine where there is one; otherwise it stands alone and
    `spacing_at` says whether it is calibrated to the patient or measured at the detector. With neither,
    measures are in pixels. `unit` is HU, SUVbw, Gy, another that the file names (in UCUM: `mm2/s`) or None.
    `channels` names each channel where the file does (`red`, `green`, `blue`); `modality` is DICOM's code. `body_part`
    is what the file says was examined, `sequence` which of MR's it says to be (`T1`); they are never written down.
    `display` holds windows and the like, never applied.

    Raises GeometryError if array, affine and times contradict each other.
    """

    array: Array
    affine: Array | None = None
    spacing_mm: Triple | None = None
    spacing_at: Literal["patient", "detector"] | None = None
    times_s: tuple[float, ...] | None = None
    unit: str | None = None
    modality: str | None = None
    channels: tuple[str, ...] = ()
    display: Mapping[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    body_part: str | None = field(default=None, repr=False, metadata={"stored": False})
    sequence: str | None = field(default=None, repr=False, metadata={"stored": False})

    def __post_init__(self) -> None:
        if self.array.ndim != (4 if self.times_s is None else 5):
            wanted = "(C, Z, Y, X)" if self.times_s is None else "(T, C, Z, Y, X)"
            raise GeometryError(f"an image's array must be {wanted}", found=f"shape {self.array.shape}")
        if 0 in self.array.shape:
            raise GeometryError("an image without pixels", found=f"shape {self.array.shape}")
        if self.times_s is not None and len(self.times_s) != self.array.shape[0]:
            raise GeometryError("one time a frame is needed", found=f"{len(self.times_s)} times")
        if self.affine is not None:
            affine = np.asarray(self.affine, dtype=np.float64)
            if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-12:
                raise GeometryError(
                    "an affine must be 4 × 4, finite and invertible", found=repr(affine.tolist())
                )
            if not np.allclose(affine[3], (0, 0, 0, 1), atol=1e-6):
                raise GeometryError("the last row of an affine is 0, 0, 0, 1", found=str(affine[3].tolist()))
            object.__setattr__(self, "affine", affine)
            spacing = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
            object.__setattr__(self, "spacing_mm", tuple(float(s) for s in spacing))
            object.__setattr__(self, "spacing_at", "patient")
        elif self.spacing_mm is not None:
            if not all(np.isfinite(s) and s > 0 for s in self.spacing_mm):
                raise GeometryError("spacing must be positive", found=str(self.spacing_mm))
            if self.spacing_at is None:
                object.__setattr__(self, "spacing_at", "patient")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.array, dtype=dtype, copy=copy)

    def _words(self) -> Iterable[str]:
        yield f"{size(self.array.shape)} {self.array.dtype}"
        if self.spacing_mm is not None:
            yield "×".join(f"{s:.4g}" for s in self.spacing_mm) + " mm"
        yield from (word for word in (self.unit, self.modality) if word)
        if self.channels:
            yield f"channels: {some(self.channels, len(self.channels))}"
        if self.times_s is not None:
            yield counted(len(self.times_s), "frame")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Spatial shape `(Z, Y, X)`."""
        z, y, x = self.array.shape[-3:]
        return int(z), int(y), int(x)

    @property
    def in_colour(self) -> bool:
        """Whether the channels are red, green and blue, by their names."""
        return len(self.channels) == self.array.shape[-4] and are_colours(self.channels)

    @property
    def is_2d(self) -> bool:
        """Whether this is a single plane."""
        return self.shape[0] == 1


def pixel_fault(image: Image, name: str) -> str | None:
    """Return what makes an image's pixels unfit to learn from or to answer, in one line; None if nothing does."""
    array = image.array
    if array.dtype.kind != "f":
        return None
    planes = array.reshape(-1, array.shape[-2], array.shape[-1])
    bad = sum(int(np.count_nonzero(~np.isfinite(plane))) for plane in planes)  # in memory of one plane
    return (
        f"{counted(bad, 'pixel')} of '{name}' {'is' if bad == 1 else 'are'} NaN or infinite" if bad else None
    )
