"""Images from pixels in memory: NumPy arrays, torch tensors and PIL pictures. What nobody says stays unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from PIL import Image as Pil

from vesalius.core.channels import COLOURS, are_colours
from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Array, Image, Triple
from vesalius.core.plan import DataPlan
from vesalius.core.words import counted
from vesalius.formats.picture import of_pil

if TYPE_CHECKING:
    import torch

Pixels: TypeAlias = "Array | Pil.Image | torch.Tensor"
_ORDER = "tczyx"
_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SAY = "vs.image(pixels, axes=…), which says what each axis is"
_COLOURED = (3, 4)  # channels of a picture whose channels come last: colours, perhaps with an opacity
_OTHERS = ("affine", "dataobj", "GetSpacing", "spatial_shape")  # what carries a geometry of its own


def image(
    pixels: Pixels | Image,
    *,
    axes: str | None = None,
    affine: Any = None,
    world: Literal["LPS", "RAS"] | None = None,
    spacing_mm: Sequence[float] | None = None,
    unit: str | None = None,
    modality: str | None = None,
    channels: Sequence[str] = (),
    times_s: Sequence[float] | None = None,
) -> Image:
    """Return pixels in memory as an Image, with what is said of them; what is not said is not known, and not guessed.

    The pixels are not copied where they need not be. An affine maps the index `(x, y, z)` to millimetres, where x
    is the axis that `axes` calls so.

    Args:
        pixels: A NumPy array, a torch tensor, or a PIL picture.
        axes: A letter for each axis of an array in its order: `t` time, `c` channel, `z`, `y`, `x`. It need
            not be said of an array of two axes (`"yx"`) and of a PIL picture.
        affine: 4 × 4, from the index to millimetres.
        world: To which millimetres: `"RAS"` as NIfTI and nibabel have it (with `axes="xyz"`), `"LPS"` as
            DICOM and SimpleITK have it (with `axes="zyx"`).
        spacing_mm: Without an affine, `(x, y, z)`, or `(x, y)` of a picture.
        unit: HU, SUVbw, …
        modality: A code of DICOM, such as `CT`.
        channels: Their names, such as `("red", "green", "blue")`.
        times_s: The times of frames in seconds.

    Returns:
        The image, which every verb takes.

    Raises:
        DataError: These are no pixels, or their axes must be named.
        GeometryError: The geometry contradicts itself, or an affine does not say its world.
    """
    if isinstance(pixels, Image):
        raise DataError("this is an Image already", hint="dataclasses.replace to change what is known of it")
    if isinstance(pixels, Pil.Image):
        if axes is not None:
            raise DataError("a PIL picture says itself what its axes are", found=f"axes='{axes}'")
        base = of_pil(pixels)
        array, names, display = base.array, tuple(channels) or base.channels, base.display
    else:
        array, names, display = laid_out(as_array(pixels), axes), tuple(channels), {}
    if names and len(names) != array.shape[-4]:
        raise DataError(
            "each channel has one name",
            found=f"{counted(len(names), 'name')} for {counted(array.shape[-4], 'channel')}",
        )
    return Image(
        array=array,
        affine=None if affine is None else _lps(affine, world),
        spacing_mm=None if spacing_mm is None else _spacing(spacing_mm, array),
        times_s=None if times_s is None else tuple(float(t) for t in times_s),
        unit=unit,
        modality=modality,
        channels=names,
        display=display,
    )


def bare(pixels: Pixels, plan: DataPlan) -> tuple[Image, tuple[str, ...]]:
    """Return pixels of which nothing is said as an Image that a model can answer, and what was assumed, in sentences.

    For a model of pictures: `(Y, X)`, channels last `(Y, X, C)` with 1, 3, 4 or as many channels as were planned, or
    channels first `(C, Y, X)` with 1 or as many as were planned. For a model of volumes: `(Z, Y, X)`, or with one
    or the planned channels `(C, Z, Y, X)` or `(Z, Y, X, C)`. Raises DataError for every other shape, and for one that
    can be read in two ways.
    """
    if isinstance(pixels, Pil.Image):
        return of_pil(pixels), ()
    array = as_array(pixels)
    planned = plan.channels // len(plan.images)
    axes = _axes_of(array, planned, flat=plan.dims == 2)
    laid = laid_out(array, axes)
    count, names = laid.shape[0], plan.names_of(0)
    assumed: list[str] = []
    channels: tuple[str, ...] = ()
    if count in _COLOURED and (count != planned or are_colours(names)):
        channels = COLOURS if count == len(COLOURS) else (*COLOURS, "alpha")
        assumed.append(f"channels taken as {', '.join(channels)}: an array does not say them")
    elif count > 1:
        order = f" ({', '.join(names)})" if names else ""
        assumed.append(f"channels taken in the learned order{order}: an array does not say them")
    if plan.dims == 3:
        assumed.append(
            "axes taken as z, y, x, to the head, the back and the left: an array does not say them"
        )
    return Image(array=laid, channels=channels), tuple(assumed)


def as_array(pixels: Any) -> Array:
    """Return pixels as a NumPy array of numbers, in this machine's byte order. Raises DataError for what is none."""
    geometry = own_geometry(pixels)
    if geometry is not None:
        raise DataError(
            f"a {type(pixels).__name__} carries a geometry that would be lost",
            found=f"its '{geometry}'",
            hint="its file, or vs.image(array, axes=…, affine=…, world=…): 'xyz' and 'RAS' with nibabel",
        )
    if (
        getattr(pixels, "is_meta", False)
        or str(getattr(pixels, "layout", "torch.strided")) != "torch.strided"
    ):
        held = (
            "a tensor on the device 'meta', which holds no values"
            if pixels.is_meta
            else f"layout {pixels.layout}"
        )
        raise DataError(
            "a tensor whose values cannot be taken as pixels", found=held, hint="tensor.to_dense()"
        )
    if hasattr(pixels, "detach"):  # a tensor, perhaps with a gradient and on a GPU
        pixels = pixels.detach().cpu()
        pixels = pixels.float() if str(pixels.dtype) == "torch.bfloat16" else pixels
        array = np.asarray(pixels.resolve_conj().resolve_neg().numpy())
    elif isinstance(pixels, np.ma.MaskedArray) and np.ma.is_masked(pixels):
        raise DataError("an array whose masked values would be used", hint="array.filled(VALUE)")
    elif hasattr(pixels, "__array__"):
        array = np.asarray(pixels)
    else:
        raise DataError(
            "these are no pixels",
            found=type(pixels).__name__,
            hint="a path, a NumPy array, a torch tensor, a PIL picture, or a vs.Image; or a list of such",
        )
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    if array.dtype.kind not in "iuf" or 0 in array.shape or array.ndim < 2:
        raise DataError("these are no pixels", found=f"shape {array.shape} of {array.dtype}")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def own_geometry(thing: Any) -> str | None:
    """Return the name of the attribute by which a thing carries a geometry of its own; None where it has none."""
    return next((name for name in _OTHERS if hasattr(thing, name)), None)


def laid_out(array: Array, axes: str | None) -> Array:
    """Return an array as `(C, Z, Y, X)`, or with a time `(T, C, Z, Y, X)`; a view. Raises DataError."""
    if axes is None and array.ndim == 2:
        axes = "yx"
    if axes is None:
        raise DataError(
            f"nobody says what the {array.ndim} axes of this array are",
            found=f"shape {array.shape}",
            hint="axes='zyx' of a volume, 'yxc' or 'cyx' of a picture in colour, 'xyz' of what nibabel reads",
        )
    wrong = len(set(axes)) < len(axes) or not {"y", "x"} <= set(axes) <= set(_ORDER)
    if wrong or len(axes) != array.ndim:
        raise DataError(
            f"axes='{axes}' does not name the {array.ndim} axes of this array, each once",
            found=f"shape {array.shape}",
            hint=f"letters of '{_ORDER}', among them y and x",
        )
    held = [letter for letter in _ORDER if letter in axes]
    array = array.transpose([axes.index(letter) for letter in held])
    for place, letter in enumerate("zc"):
        if letter not in axes:
            array = np.expand_dims(array, -3 - place)
    return array


def _axes_of(array: Array, planned: int, *, flat: bool) -> str:
    """Return the letters of the axes of an array that a model is given bare. Raises DataError where that is open."""
    space = "yx" if flat else "zyx"
    if array.ndim == 2:
        return "yx"
    if array.ndim == 3 and not flat:
        return "zyx"
    if array.ndim == len(space) + 1:
        last = array.shape[-1] in ({1, planned, *_COLOURED} if flat else {1, planned})
        first = array.shape[0] in {1, planned}
        if first != last:
            return f"c{space}" if first else f"{space}c"
    what = "a picture" if flat else "a volume"
    raise DataError(
        f"an array of this shape cannot be taken for {what} in one way alone",
        found=f"shape {array.shape}, learned from {counted(planned, 'channel')}",
        hint=f"{_SAY}; of a batch list(batch)",
    )


def _lps(affine: Any, world: str | None) -> Array:
    found = np.asarray(affine, dtype=np.float64)
    if world not in ("LPS", "RAS"):
        raise GeometryError(
            "an affine must say to which millimetres it leads",
            found=repr(world) if world else None,
            hint="world='RAS' of one from NIfTI and nibabel, world='LPS' of one from DICOM and SimpleITK",
        )
    return found if world == "LPS" or found.shape != (4, 4) else _TO_LPS @ found


def _spacing(spacing_mm: Sequence[float], array: Array) -> Triple:
    found = [float(s) for s in spacing_mm]
    if len(found) == 2 and array.shape[-3] == 1:
        found.append(1.0)
    if len(found) != 3:
        raise GeometryError("a spacing is (x, y, z), or (x, y) of a picture", found=str(tuple(spacing_mm)))
    return found[0], found[1], found[2]
