"""Registering two visits of one patient: where a place of the later image lies in the earlier one, and how well."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.ndimage import affine_transform

from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array, Image
from vesalius.core.registry import names
from vesalius.prepare import aligning
from vesalius.prepare.aligning.contract import Field
from vesalius.prepare.alike import Points, Pyramid, mutual_information, overlap
from vesalius.prepare.geometry import orientation

NONE, FRAME, SAME = "none", "frame of reference", "the same image"
LONGEST = 112  # voxels along the longest side of what is registered
POINTS, SEED = 40_000, 7
SHARED = 0.4  # of the later field of view that the earlier image must show
APART_VOXELS, APART_MM = 2.0, 3.0  # by how much both directions may disagree
CHANCE = 1.01  # normalised mutual information of images that say next to nothing of one another
_SWAP = np.eye(4)[[2, 1, 0, 3]]


@dataclass(frozen=True, eq=False)
class Registration:
    """How two images of one patient lie upon one another.

    `matrix` `(4, 4)` takes places of the later image to those of the earlier one, in `unit`: LPS millimetres, or the
    upright picture's pixels. `by` is the way that found it, or `frame of reference`, `the same image`, or `none`.
    `before` and `after` are the normalised mutual information as the headers lay the images and as registered, None
    where nothing was measured; `overlap` is the share of the later field of view that the earlier image shows.
    `apart` is by how much the registration of the earlier onto the later one disagrees with it. `why` says why it does
    not fit, and is empty where it does; `notes` are to be read with it.
    """

    by: str
    matrix: Array
    unit: str
    before: float | None = None
    after: float | None = None
    overlap: float | None = None
    apart: float | None = None
    why: str = ""
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether what lies upon one another may be taken for the same place."""
        return not self.why

    @property
    def turned_deg(self) -> float:
        """By how many degrees it turns, about whichever axis."""
        return float(np.degrees(np.arccos(np.clip((np.trace(self.matrix[:3, :3]) - 1) / 2, -1, 1))))

    def moved(self, later: Image) -> float:
        """Return by how much it moves the middle of the later image, in its unit."""
        middle = field_of(later).middle
        return float(np.linalg.norm(self.matrix[:3, :3] @ middle + self.matrix[:3, 3] - middle))

    def json(self, later: Image) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "by": self.by, "fits": self.fits, "why": self.why or None, "unit": self.unit,
            "turned_deg": self.turned_deg, "moved": self.moved(later), "matrix": self.matrix.tolist(),
            "similarity": {"measure": "normalised mutual information", "before": self.before, "after": self.after},
            "overlap": self.overlap, "apart": self.apart, "notes": list(self.notes),
        }  # fmt: skip


def register(later: Image, earlier: Image, *, way: str | None = None) -> Registration:
    """Register the earlier image onto the later one, rigidly.

    `way` is one of `vesalius registrations`, or `none`; by default the surest that is installed. Images that share a
    frame of reference lie where they say, and the same image upon itself. It does not fit where both directions of
    registering disagree by two voxels, where it is no more alike than the headers had it, or where too little is seen
    in both. Raises UnknownName, and MissingExtra for a way whose library is missing.
    """
    assert_known(way)
    unit, notes = _unit(later, earlier)
    begun = Registration(NONE, np.eye(4), unit, notes=notes)
    if (later.spacing_mm is None) != (earlier.spacing_mm is None):
        return replace(begun, why="one image says how large a pixel is and the other does not")
    if later.is_2d != earlier.is_2d:
        return replace(begun, why="one is a single plane and the other a volume")
    if way == NONE:
        return replace(begun, why="no registration was asked for")
    fixed, moving = (Pyramid(field_of(x)).at(LONGEST) for x in (later, earlier))
    if is_same(later, earlier):
        return _measured(replace(begun, by=SAME), fixed, moving)
    shared = later.source.frame_of_reference_uid
    if way is None and shared and shared == earlier.source.frame_of_reference_uid:
        return _measured(replace(begun, by=FRAME), fixed, moving)
    name = way or aligning.usual()
    try:
        there = aligning.get(name).align(fixed, moving)
        back = aligning.get(name).align(moving, fixed)
    except DataError as error:
        return replace(begun, by=name, why=str(error))
    found = _measured(
        replace(begun, by=name, matrix=there, apart=_apart(there @ back, moving)), fixed, moving
    )
    return replace(found, why=_fault(found, fixed, moving))


def assert_known(way: str | None) -> None:
    """Raise UnknownName for a way of registering that there is not."""
    known = (NONE, *names(aligning.KIND))
    if way is not None and way not in known:
        raise UnknownName("registration", way, known)


def field_of(image: Image) -> Field:
    """Return one channel of an image with its place, of a cine that of its first frame.

    The place of a volume is its own. A picture lies upright in the plane z = 0, in millimetres where its pixels have a
    size and in pixels where not; so does a volume without a place, from 0 on.
    """
    array = image.array if image.times_s is None else image.array[0]
    channel = array.mean(axis=0) if image.in_colour else array[0]
    return Field(np.nan_to_num(np.asarray(channel, dtype=np.float32)), place_of(image))


def place_of(image: Image) -> Array:
    """Return `(4, 4)` from an image's index `(x, y, z)` to where it lies, as `field_of` has it."""
    if image.affine is not None and not image.is_2d:
        return np.asarray(image.affine)
    order, flips = orientation(image.affine)
    turn = np.zeros((4, 4))
    turn[3, 3] = 1.0
    for axis in range(3):
        n = image.shape[order[axis]]
        turn[axis, order[axis]] = -1.0 if axis in flips else 1.0
        turn[axis, 3] = n - 1.0 if axis in flips else 0.0
    spacing = image.spacing_mm[::-1] if image.spacing_mm is not None else (1.0, 1.0, 1.0)
    scale = np.diag([*(spacing[order[axis]] for axis in range(3)), 1.0])
    return np.asarray(_SWAP @ scale @ turn @ _SWAP)


def index_map(later: Image, earlier: Image, matrix: Array) -> Array:
    """Return `(4, 4)` from the later image's index `(z, y, x)` to the earlier one's, both to voxels' middles."""
    xyz = np.linalg.inv(place_of(earlier)) @ matrix @ place_of(later)
    return np.asarray(_SWAP @ xyz @ _SWAP)


def onto(
    array: Array, later: Image, earlier: Image, matrix: Array, *, order: int, fill: float = 0.0
) -> Array:
    """Return an array `(…, Z, Y, X)` on the earlier image's grid as it lies on the later one's, else `fill`.

    `order` 0 takes the nearest voxel, as of labels, and 1 interpolates.
    """
    index = index_map(later, earlier, matrix)
    flat = array.reshape(-1, *array.shape[-3:])
    linear, offset = index[:3, :3].copy(), index[:3, 3].copy()
    if earlier.is_2d:
        linear[0], offset[0] = 0.0, 0.0
    made = [
        affine_transform(
            one if order == 0 else one.astype(np.float32),
            linear, offset=offset, output_shape=later.shape, order=order, mode="grid-constant", cval=fill,
        )
        for one in flat
    ]  # fmt: skip
    return np.stack(made).reshape(*array.shape[:-3], *later.shape)


def shown_by(later: Image, earlier: Image, matrix: Array) -> Array:
    """Return which voxels of the later image the earlier one shows, too, `(Z, Y, X)` of bits."""
    index = index_map(later, earlier, matrix)
    grids = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in later.shape), indexing="ij", sparse=True)
    inside = np.ones(later.shape, dtype=bool)
    for axis in range(3):
        if axis == 0 and earlier.is_2d:
            continue
        at = sum(np.float32(index[axis, k]) * grids[k] for k in range(3)) + np.float32(index[axis, 3])
        inside &= (at >= -0.5) & (at <= earlier.shape[axis] - 0.5)
    return inside


def _measured(found: Registration, fixed: Field, moving: Field) -> Registration:
    """Return a registration with how alike the images are before and after, and how much both show."""
    points = Points.of(fixed, POINTS, SEED)
    before, after = (mutual_information(points, moving, m) or None for m in (np.eye(4), found.matrix))
    return replace(found, before=before, after=after, overlap=overlap(points, moving, found.matrix))


def _apart(loop: Array, moving: Field) -> float:
    """Return how far a place of the earlier image comes back from itself, at most, in the middle half of it."""
    shape = np.array(moving.array.shape[::-1])
    corners = np.array([[x, y, z] for x in (0.25, 0.75) for y in (0.25, 0.75) for z in (0.25, 0.75)]) * (
        shape - 1
    )
    places = corners @ moving.affine[:3, :3].T + moving.affine[:3, 3]
    return float(np.linalg.norm(places @ loop[:3, :3].T + loop[:3, 3] - places, axis=1).max())


def _fault(found: Registration, fixed: Field, moving: Field) -> str:
    """Return why a registration does not fit; empty where it does."""
    voxel = max(float(f.spacing[: 2 if f.flat else 3].max()) for f in (fixed, moving))
    limit = max(APART_VOXELS * voxel, APART_MM if found.unit == "mm" else 0.0)
    if found.overlap is None or found.overlap < SHARED:
        return f"the earlier image shows only {100 * (found.overlap or 0):.0f} % of what the later one shows"
    if found.after is None or found.after < CHANCE:
        return "the images say next to nothing of one another, however they are laid"
    if found.before is not None and found.after < found.before - 1e-3:
        return "the images are less alike as registered than as their headers lay them"
    if found.apart is not None and found.apart > limit:
        far = f"{found.apart:.1f} {found.unit}"
        return f"registered in both directions it comes out {far} apart, so that it is not to be relied on"
    return ""


def is_same(later: Image, earlier: Image) -> bool:
    """Return whether both are one image at one place."""
    if later.array.shape != earlier.array.shape or later.spacing_mm != earlier.spacing_mm:
        return False
    placed = [x.affine is None for x in (later, earlier)]
    if placed[0] != placed[1] or (not placed[0] and not np.allclose(later.affine, earlier.affine)):  # type: ignore[arg-type]
        return False
    return bool(np.array_equal(later.array, earlier.array))


def _unit(later: Image, earlier: Image) -> tuple[str, tuple[str, ...]]:
    """Return the unit of places, and what is to be said of what is not known of them."""
    known = later.spacing_mm is not None
    notes = []
    if not known and earlier.spacing_mm is None:
        notes.append("neither image says how large a pixel is: both are taken to be of one scale")
    placed = [x.affine is not None for x in (later, earlier)]
    if not all(placed) and not (later.is_2d and earlier.is_2d):
        which = "neither image says" if not any(placed) else "one image does not say"
        notes.append(f"{which} which way the patient lies in it: left and right are taken as in the other")
    return ("mm" if known else "pixels"), tuple(notes)
