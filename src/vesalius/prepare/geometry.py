"""Axes, resampling and padding, with an exact record of how to undo them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import scipy.sparse as sparse

from vesalius.core import grids
from vesalius.core.errors import GeometryError
from vesalius.core.image import Array, Image, Triple
from vesalius.core.plan import ResamplePlan

Size = tuple[int, int, int]
SAME_MM = 1e-2  # how far corners may lie apart where voxels are taken to be the same ones


@dataclass(frozen=True, eq=False)
class Undo:
    """How a prepared grid came from a native one; enough to bring a field back to it.

    native `(Z, Y, X)` → transpose by `order` → flip `flips` → cut to `cut` voxels from `low` on, where something is cut
    off → resample to `inner` → pad `before` up to `shape`. Axis tuples speak of the array's order (Z, Y, X). `affine`
    and `spacing_mm` are the native image's. `back` is how a field is resampled on its way back along each axis: 1
    linear, 0 the nearest; `apart` is the axis that is resampled by itself, if any (see `ResamplePlan`). `steps` is how
    many voxels of what is seen one of `inner` is along each axis, where the middles of their first voxels coincide;
    None where the outer edges do.
    """

    native: Size
    order: tuple[int, int, int]
    flips: tuple[int, ...]
    turned: Size
    inner: Size
    before: Size
    shape: Size
    affine: Array | None
    spacing_mm: Triple | None
    turned_spacing_mm: Triple | None
    low: Size = (0, 0, 0)
    cut: Size | None = None
    back: tuple[int, int, int] = (1, 1, 1)
    apart: int | None = None
    steps: tuple[float, float, float] | None = None

    @property
    def seen(self) -> Size:
        """What of the turned image is seen: all of it, or the part that it was cut to."""
        return self.turned if self.cut is None else self.cut

    @property
    def resampled(self) -> bool:
        """Whether values were interpolated."""
        return self.inner != self.seen


def orientation(affine: Array | None) -> tuple[tuple[int, int, int], tuple[int, ...]]:
    """Transpose order and flips, in the array's (Z, Y, X) axes, to the nearest LPS axes. No rotation.

    After them, X runs to the patient's left, Y to the back, Z to the head.
    """
    if affine is None:
        return (0, 1, 2), ()
    direction = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    # world axis w (L, P, S) is best served by index axis i (x, y, z): the assignment with the largest sum
    best, chosen = -1.0, (0, 1, 2)
    for candidate in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        score = sum(abs(direction[w, i]) for w, i in enumerate(candidate))
        if score > best + 1e-9:
            best, chosen = score, candidate
    order = tuple(2 - chosen[2 - axis] for axis in range(3))
    flips = tuple(axis for axis in range(3) if direction[2 - axis, chosen[2 - axis]] < 0)
    return (order[0], order[1], order[2]), flips


def oriented(
    affine: Array | None, axes: str, *, canonical: bool = True
) -> tuple[tuple[int, int, int], tuple[int, ...]]:
    """Transpose order and flips, in the array's (Z, Y, X) axes, to the planned `axes` (see `DataPlan.axes`).

    Of an image that does not say where it lies letters stand for the file's own axes, x first.
    """
    order, flips = orientation(affine if canonical else None)
    if not axes:
        return order, flips
    if axes == "zxy":
        return (0, 2, 1), ()
    if axes == "xyz" or affine is None:
        return (2, 1, 0), ()
    order, flips = orientation(affine)
    places = [next(k for k, pair in enumerate(_WAYS) if letter in pair) for letter in axes]
    turned = tuple(k for k, place in enumerate(places) if (axes[k] == _WAYS[place][1]) != (place in flips))
    return (order[places[0]], order[places[1]], order[places[2]]), turned


_WAYS = ("SI", "PA", "LR")  # where our axes Z, Y and X run to, and the other way


def turn(array: Array, order: tuple[int, int, int], flips: tuple[int, ...]) -> Array:
    """Transpose and flip the last three axes; a view."""
    lead = array.ndim - 3
    array = array.transpose((*range(lead), *(lead + a for a in order)))
    return np.flip(array, tuple(lead + a for a in flips)) if flips else array


def turn_back(array: Array, order: tuple[int, int, int], flips: tuple[int, ...]) -> Array:
    """Return the exact inverse of `turn`; a view."""
    lead = array.ndim - 3
    if flips:
        array = np.flip(array, tuple(lead + a for a in flips))
    inverse = np.argsort(order)
    return array.transpose((*range(lead), *(lead + int(a) for a in inverse)))


def upright(image: Image, like: Image | None = None) -> Image:
    """Return the image in canonical axes with its spacing alone, for looking at; `like` lends its orientation."""
    order, flips = orientation((like or image).affine)
    spacing = image.spacing_mm
    if spacing is not None:
        zyx = spacing[::-1]
        spacing = (zyx[order[2]], zyx[order[1]], zyx[order[0]])
    return replace(image, array=turn(image.array, order, flips), affine=None, spacing_mm=spacing)


def upright_points(points: Array, image: Image) -> Array:
    """Bring points `(…, 3)` of an image's own grid onto that of `upright(image)`; voxel k is k to k + 1."""
    order, flips = orientation(image.affine)
    turned: Array = np.asarray(points, dtype=np.float64)[..., list(order)]
    for axis in flips:
        turned[..., axis] = image.shape[order[axis]] - turned[..., axis]
    return turned


def layout(
    image: Image,
    *,
    canonical: bool,
    spacing_mm: Triple | None,
    size: Size | None,
    whole: bool,
    part: tuple[Size, Size] | None = None,
    how: ResamplePlan | None = None,
    axes: str = "",
) -> Undo:
    """Decide how one image meets a plan.

    `part` is the first corner and the size of what of the turned image is seen, `how` how it is resampled, `axes` where
    the prepared axes run to.

    With `whole` it is scaled, keeping its proportions (in units of `spacing_mm` where that is planned), to
    fit `size` and padded around; otherwise it is resampled to `spacing_mm` `(x, y, z)` and padded up to
    `size` where it is smaller. Raises GeometryError where a spacing is planned and the image has none.
    """
    native = image.shape
    order, flips = oriented(image.affine, axes, canonical=canonical)
    turned = (native[order[0]], native[order[1]], native[order[2]])
    turned_spacing: Triple | None = None
    if image.spacing_mm is not None:
        zyx = image.spacing_mm[::-1]
        turned_spacing = (zyx[order[2]], zyx[order[1]], zyx[order[0]])
    low, cut = part if part is not None else ((0, 0, 0), None)
    scaled = [float(n) for n in (cut or turned)]
    steps: tuple[float, float, float] | None = None
    if spacing_mm is not None:
        if turned_spacing is None:
            raise GeometryError(
                "the plan works in millimetres but this image says no spacing",
                hint="of an array vs.image(x, axes='zyx', spacing_mm=(x, y, z)); files with a spacing; "
                "or a model that works in pixels (fitted with data.spacing_mm=null)",
            )
        kept, first = how is not None and how.planes, how is not None and how.grid == "first"
        ratio = [turned_spacing[2 - a] / spacing_mm[2 - a] for a in range(3)]
        if first:
            steps = (1 / ratio[0], 1 / ratio[1], 1 / ratio[2])
        scaled = [
            n if kept and a == 0 else (n - 1) * ratio[a] + 1 if first else n * ratio[a]
            for a, n in enumerate(scaled)
        ]
    if whole and size is not None:
        factor = min(
            (s / n for s, n in zip(size, scaled, strict=True) if n > 0 and (s > 1 or n > 1)), default=1.0
        )
        scaled = [n * factor if size[a] > 1 else 1.0 for a, n in enumerate(scaled)]
        limits: Size | None = size
    else:
        limits = None
    rounded = [max(1, round(n)) for n in scaled]
    if limits is not None:
        rounded = [min(n, m) for n, m in zip(rounded, limits, strict=True)]
    inner = (rounded[0], rounded[1], rounded[2])
    shape = tuple(max(n, m) for n, m in zip(inner, size, strict=True)) if size else inner
    before = tuple((m - n) // 2 for n, m in zip(inner, shape, strict=True))
    apart = None if how is None else coarse_axis(turned_spacing, spacing_mm, how)
    return Undo(
        native=native,
        order=order,
        flips=flips,
        turned=turned,
        inner=inner,
        before=(before[0], before[1], before[2]),
        shape=(shape[0], shape[1], shape[2]),
        affine=image.affine,
        spacing_mm=image.spacing_mm,
        turned_spacing_mm=turned_spacing,
        low=low,
        cut=cut,
        back=(1, 1, 1) if how is None else _orders_back(how, apart),
        apart=apart,
        steps=steps,
    )


def coarse_axis(own: Triple | None, planned: Triple | None, how: ResamplePlan) -> int | None:
    """Return the axis (Z, Y, X) along which voxels are so much longer that it is resampled by itself; else None.

    `own` and `planned` are spacings `(x, y, z)`; the image's own decides where either is that uneven. Where two axes
    share the longest none is.
    """
    if how.apart is None or own is None or planned is None:
        return None
    known = planned if not how.planes else (planned[0], planned[1], own[2])
    for spacing in (own, known):
        if max(spacing) / min(spacing) > how.apart:
            longest = [2 - k for k, s in enumerate(spacing) if max(spacing) / s == 1]
            return longest[0] if len(longest) == 1 else None
    return None


def _orders_back(how: ResamplePlan, apart: int | None) -> tuple[int, int, int]:
    z, y, x = (how.apart_back if axis == apart else how.back for axis in range(3))
    return z, y, x


def seen(array: Array, undo: Undo) -> Array:
    """Return what of a native array's last three axes is seen, turned; a view."""
    turned = turn(array, undo.order, undo.flips)
    return turned if undo.cut is None else turned[(..., *_part(undo))]


def unseen(array: Array, undo: Undo, *, fill: float = 0.0) -> Array:
    """Return what is seen, on the native grid with `fill` around it: the inverse of `seen`."""
    if undo.cut is not None:
        whole = np.full((*array.shape[:-3], *undo.turned), fill, dtype=array.dtype)
        whole[(..., *_part(undo))] = array
        array = whole
    return turn_back(array, undo.order, undo.flips)


def _part(undo: Undo) -> tuple[slice, slice, slice]:
    z, y, x = (slice(a, a + n) for a, n in zip(undo.low, undo.seen, strict=True))
    return z, y, x


@lru_cache(maxsize=64)  # frame after frame of a cine is brought to the same size
def lerp_weights(n_out: int, n_in: int, *, smooth: bool = True) -> sparse.csr_array:
    """Linear interpolation from `n_in` to `n_out` samples over the same extent, as a sparse matrix.

    Sample `i` lies at `(i + 0.5) / n`. When shrinking and `smooth`, the triangle widens so that no input
    sample is skipped (antialiasing). Rows sum to one.
    """
    scale = n_in / n_out
    centre = (np.arange(n_out) + 0.5) * scale - 0.5
    radius = max(scale, 1.0) if smooth else 1.0
    reach = int(np.ceil(radius))
    offsets = np.arange(-reach, reach + 1)
    columns = np.floor(centre)[:, None].astype(np.int64) + offsets[None, :]
    weights = np.clip(1.0 - np.abs(columns - centre[:, None]) / radius, 0.0, None)
    columns = np.clip(columns, 0, n_in - 1)
    rows = np.repeat(np.arange(n_out), len(offsets))
    matrix = sparse.coo_array((weights.ravel(), (rows, columns.ravel())), shape=(n_out, n_in)).tocsr()
    matrix.eliminate_zeros()
    total = np.asarray(matrix.sum(axis=1)).ravel()
    return sparse.csr_array(sparse.diags_array(1.0 / total) @ matrix).astype(np.float32)


def resample(array: Array, shape: Size) -> Array:
    """Resample the last three axes to `shape` by separable linear interpolation; float32."""
    array = array.astype(np.float32, copy=False)
    lead = array.ndim - 3
    for axis, n in enumerate(shape):
        if array.shape[lead + axis] == n:
            continue
        weights = lerp_weights(n, array.shape[lead + axis])
        moved = np.moveaxis(array, lead + axis, 0)
        flat = weights @ np.ascontiguousarray(moved).reshape(moved.shape[0], -1)
        array = np.moveaxis(np.asarray(flat).reshape(n, *moved.shape[1:]), 0, lead + axis)
    return array


def resample_labels(array: Array, shape: Size) -> Array:
    """Resample integer labels `(Z, Y, X)`: each label as a linear field, the largest wins; order-independent."""
    if array.shape == shape:
        return array
    values = np.unique(array)
    best = np.zeros(shape, dtype=np.float32)
    out = np.full(shape, values[0], dtype=array.dtype)
    for value in values:
        field = resample((array == value).astype(np.float32), shape)
        wins = field > best
        out[wins] = value
        best = np.maximum(best, field)
    return out


def forward(array: Array, undo: Undo, *, pad: float = 0.0) -> Array:
    """Return an intensity array `(C, Z, Y, X)` on the native grid, brought onto the prepared one; float32."""
    turned = resample(seen(array, undo), undo.inner)
    return pad_to(turned.astype(np.float32, copy=False), undo, value=pad)


def forward_labels(array: Array, undo: Undo, *, pad: int = 0) -> Array:
    """Return integer labels `(Z, Y, X)` on the native grid, brought onto the prepared one."""
    return pad_to(resample_labels(seen(array, undo), undo.inner), undo, value=pad)


def pad_to(array: Array, undo: Undo, *, value: float) -> Array:
    """Pad the last three axes from `undo.inner` to `undo.shape`."""
    if undo.inner == undo.shape:
        return np.ascontiguousarray(array)
    widths = [(0, 0)] * (array.ndim - 3)
    widths += [(b, s - n - b) for b, n, s in zip(undo.before, undo.inner, undo.shape, strict=True)]
    return np.pad(array, widths, constant_values=value)


def inner_slices(undo: Undo) -> tuple[slice, slice, slice]:
    """Return where the image lies inside the padded grid."""
    z, y, x = (slice(b, b + n) for b, n in zip(undo.before, undo.inner, strict=True))
    return z, y, x


def backward(array: Array, undo: Undo) -> Array:
    """Return a float field `(C, Z, Y, X)` on the prepared grid, brought back to the native one."""
    inner = array[(..., *inner_slices(undo))]
    return unseen(resample(inner, undo.seen), undo)


def forward_points(points: Array, undo: Undo) -> Array:
    """Bring points `(…, 3)` of the native grid onto the prepared one, `(z, y, x)`.

    Coordinates are those of boxes: voxel k reaches from k to k + 1, so that its middle is k + 0.5. Flipping an axis
    exchanges the low and the high corner of a box on it.
    """
    turned = np.asarray(points, dtype=np.float64)[..., list(undo.order)]
    for axis in undo.flips:
        turned[..., axis] = undo.turned[axis] - turned[..., axis]
    turned = turned - np.asarray(undo.low)
    scaled: Array = turned * np.divide(undo.inner, undo.seen) + np.asarray(undo.before)
    return scaled


def backward_points(points: Array, undo: Undo) -> Array:
    """Bring points `(…, 3)` of the prepared grid back onto the native one: the inverse of `forward_points`."""
    turned = (np.asarray(points, dtype=np.float64) - np.asarray(undo.before)) * np.divide(
        undo.seen, undo.inner
    ) + np.asarray(undo.low)
    for axis in undo.flips:
        turned[..., axis] = undo.turned[axis] - turned[..., axis]
    native: Array = turned[..., np.argsort(undo.order)]
    return native


def same_grid(a: Image, b: Image, *, tolerance_mm: float = SAME_MM) -> bool:
    """Return whether two images have the same shape and, as far as both know it, the same geometry."""
    return grids.difference(a, b, tolerance_mm=tolerance_mm) is None


def onto(moving: Image, reference: Image) -> Array:
    """Return `moving` interpolated on the grid of `reference`, `(C, Z, Y, X)` float32; outside it is its minimum.

    Raises GeometryError where either has no affine.
    """
    from scipy.ndimage import affine_transform

    if moving.affine is None or reference.affine is None:
        raise GeometryError(
            "two images of a case differ in shape and do not both say where they lie",
            found=grids.difference(moving, reference),
            hint="images on one grid, or with affines",
        )
    index = np.linalg.inv(moving.affine) @ reference.affine  # (x, y, z) of reference → of moving
    swap = np.eye(4)[[2, 1, 0, 3]]
    matrix = swap @ index @ swap  # in the array's order
    return np.stack(
        [
            affine_transform(
                channel.astype(np.float32),
                matrix[:3, :3],
                offset=matrix[:3, 3],
                output_shape=reference.shape,
                order=1,
                cval=float(channel.min()),
            )
            for channel in moving.array
        ]
    )
