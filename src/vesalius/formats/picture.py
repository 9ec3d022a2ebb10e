"""Pictures: PNG, JPEG, TIFF, BMP, GIF and WebP, of 8 and 16 bits, as `(1 or 3, pages, Y, X)`.

Alpha is dropped. A palette becomes its colours (grey if they all are) in an image and its indexes in a mask. The
EXIF orientation is applied, to images and masks alike: what is read is the picture as seen, and `display` holds the
tag. A resolution in dots per inch is that of a printer or scanner, not a spacing, and is left. The pages of a file
stand along Z, or one is picked by the Ref's index; the frames of an animation are whole pictures, each drawn over
those before it, and in colour if one of them is. Bilevel pictures are 0 and 1. PNG colours of 16 bits are read with
their upper 8.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil
from PIL import ImageOps, UnidentifiedImageError

from vesalius.core import exif, file_io
from vesalius.core.answers import Answer, ImageAnswer
from vesalius.core.case import Ref
from vesalius.core.channels import COLOURS
from vesalius.core.cohort import Label
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.grids import EXIF_ORIENTATION
from vesalius.core.header import Header
from vesalius.core.image import Array, Image
from vesalius.core.masks import blurred

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
MAGIC = (
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"\xff\xd8\xff"),
    (0, b"II*\x00"),
    (0, b"MM\x00*"),
    (0, b"GIF87a"),
    (0, b"GIF89a"),
    (8, b"WEBP"),
    (0, b"BM"),
)
HOLDS = "Image"
WRITES = ("Image", "ImageAnswer")
LOSSY = (".jpg", ".jpeg")

MOST_PIXELS = 1 << 29  # of all pages together
_KINDS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")
_PLAIN = {"1", "L", "I;16", "I;16B", "I;16L", "I;16N", "I", "F", "RGB"}
_LOSSY_MASK_VALUES = 64  # a mask saved as JPEG has a few grey levels more than labels; a photograph has more


def header(ref: Ref) -> Header:
    """Size and type from the file's header; pixels are decoded of palette pictures, animated GIFs and odd TIFFs."""
    path, items = file_io.one_file(ref), 1
    try:
        with _open(path) as picture:
            items = _pages(picture)
            if ref.index is not None and 0 < ref.index < items:
                picture.seek(ref.index)
            plain = picture.mode in _PLAIN and picture.mode != "I" and not _deep_tiff(picture)
            if plain and not _drawn_over(picture):
                width, height = exif.size_as_seen(picture)
                pages = 1 if ref.index is not None else items
                kind = {"F": np.float32}.get(picture.mode, np.uint16 if "16" in picture.mode else np.uint8)
                channels = 3 if picture.mode == "RGB" else 1
                return Header(
                    shape=(pages, height, width),
                    dtype=np.dtype(kind).name,
                    channels=channels,
                    items=items,
                    display=_display([exif.orientation(picture)]),
                )
    except UnidentifiedImageError:
        pass  # `read` knows more kinds, or says what is wrong
    except _errors() as error:
        raise _typed(ref, error) from error
    image = read(ref)
    return Header(
        shape=image.shape,
        dtype=image.array.dtype.name,
        channels=image.array.shape[0],
        items=items,
        display=image.display,
    )


def read(ref: Ref) -> Image:
    """Read colours or greys, `(1 or 3, pages, Y, X)` of uint8, uint16, int32 or float32."""
    return _read(ref, as_mask=False)


def of_pil(picture: Pil.Image) -> Image:
    """Return a picture that PIL has opened or made as an Image, the same that reading its file gives.

    Raises FormatError for one of several pages, and for a TIFF of which PIL keeps 8 bits alone.
    """
    ref = Ref((Path(getattr(picture, "filename", "") or "a picture in memory"),))
    if _pages(picture) > 1 or _deep_tiff(picture):
        what = "of several pages" if _pages(picture) > 1 else "with more than 8 bits a colour"
        raise FormatError(
            f"{ref}: a picture {what} that PIL has opened", hint="its path, or vs.image of an array"
        )
    try:
        tag = exif.orientation(picture)
        array = _plane(picture, ref, False)
    except _errors() as error:
        raise _typed(ref, error) from error
    return Image(array=array[:, None], channels=COLOURS if len(array) == 3 else (), display=_display([tag]))


def read_mask(ref: Ref) -> Image:
    """Read labels: a palette's indexes, not its colours, which stand in `display["palette"]` as 0xRRGGBB.

    A JPEG with more than 64 values is refused, unless they are the blurred edges of one label.
    """
    image = _read(ref, as_mask=True)
    if ref.paths[0].read_bytes()[:3] != b"\xff\xd8\xff":
        palette = _palette(ref.paths[0])
        return replace(image, display={"palette": palette}) if palette else image
    values, counts = np.unique(image.array, return_counts=True)
    one = image.array.shape[0] == 1 or bool((image.array == image.array[:1]).all())
    edges = one and blurred(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    if len(values) > _LOSSY_MASK_VALUES and not edges:
        raise FormatError(f"{ref}: a mask saved as JPEG has lost its values", hint="save masks as PNG")
    return image


def _palette(path: Path) -> dict[int, int]:
    """Return the colour of each index of a file's palette, 0xRRGGBB; empty where it has none."""
    with _open(path) as picture:
        if picture.mode not in ("P", "PA") or _pages(picture) > 1:
            return {}
        picture.load()
        flat = list((picture.getchannel(0) if picture.mode == "PA" else picture).getpalette("RGB") or ())
    return {
        k: red << 16 | green << 8 | blue
        for k, (red, green, blue) in enumerate(zip(flat[::3], flat[1::3], flat[2::3], strict=False))
    }


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write greys or colours; TIFF takes several planes and floats, and only images may go to JPEG.

    Labels keep their values: 8 bits up to 255, otherwise 16. Where each has a colour, a PNG's palette shows it. Where
    the format has EXIF, it says that the pixels are stored as they are seen. Raises OutputError
    for what the format cannot hold.
    """
    kind = _kind(path)
    array = _writable(file_io.stored(thing)[1], path, kind)
    if kind == "JPEG" and isinstance(thing, ImageAnswer) and thing.holds != "picture":
        raise OutputError(f"{path}: JPEG would change the values", hint=".png")
    if kind == "GIF" and array.shape[0] != 1:
        raise OutputError(f"{path}: GIF would change the colours", hint=".png")
    pages = [_page(array[:, z]) for z in range(array.shape[1])]
    if kind == "PNG" and isinstance(thing, ImageAnswer) and array.dtype == np.uint8:
        _coloured(pages, getattr(thing, "labels", ()))
    if len(pages) > 1 and kind != "TIFF":
        hint = ".nii.gz or .tif"
        raise OutputError(f"{path}: {kind} holds one plane", found=f"{len(pages)} planes", hint=hint)
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    if kind == "JPEG":
        options = {"quality": 95}
    if kind == "TIFF":
        options = {"compression": "tiff_deflate", "save_all": True, "append_images": pages[1:]}
    if kind in ("PNG", "JPEG", "TIFF", "WEBP"):
        options["exif"] = exif.upright()
    with file_io.atomic(path) as file:
        pages[0].save(file, kind, **options)


def _read(ref: Ref, *, as_mask: bool) -> Image:
    path = file_io.one_file(ref)
    try:
        array, tags = _decode(path, ref, as_mask)
        names: tuple[str, ...] = COLOURS if array.shape[0] == 3 else ()
    except UnidentifiedImageError as error:
        other = _by_tifffile(path, ref) if path.suffix.lower() in (".tif", ".tiff") else None
        if other is None:
            raise _typed(ref, error) from error
        array, names, tags = other
    except _errors() as error:
        raise _typed(ref, error) from error
    return Image(array=array, channels=names, display=_display(tags))


def _display(tags: Sequence[int | None]) -> dict[str, Any]:
    """Return the EXIF orientation that was applied: one that turns before one that does not."""
    tag = next((t for t in tags if t is not None and t > 1), tags[0])
    return {} if tag is None else {EXIF_ORIENTATION: tag}


def _open(path: Path) -> Pil.Image:
    return Pil.open(path, formats=_KINDS)


def _decode(path: Path, ref: Ref, as_mask: bool) -> tuple[Array, list[int | None]]:
    """Return the pages as `(C, pages, Y, X)`, and the orientation that each says."""
    data = path.read_bytes()
    if data.startswith(b"\x89PNG"):
        _check_png(data, ref)
    with Pil.open(io.BytesIO(data), formats=_KINDS) as picture:
        if _deep_tiff(picture):
            raise UnidentifiedImageError("more than 8 bits a colour")  # Pillow would keep 8 of them
        count = _pages(picture)
        if ref.index is not None and not 0 <= ref.index < count:
            raise FormatError(f"{ref}: no such page", found=f"{count} pages")
        wanted = range(count) if ref.index is None else (ref.index,)
        if picture.width * picture.height * len(wanted) > MOST_PIXELS:
            raise FormatError(
                f"{ref}: too large for a picture", found=f"{picture.size} × {len(wanted)} pages"
            )
        if 0 in picture.size:
            raise FormatError(f"{ref}: an image without pixels", found=f"size {picture.size}")
        pages, tags, drawn_over = [], [], _drawn_over(picture)
        for page in wanted:
            if count > 1:
                picture.seek(page)
            tags.append(exif.orientation(picture))
            pages.append(_plane(picture, ref, as_mask and not drawn_over, grey=drawn_over))
    return _joined(pages, ref, mixed=drawn_over or not as_mask), tags


def _drawn_over(picture: Pil.Image) -> bool:
    """Return whether this is an animated GIF, of whose frames Pillow gives the first alone with its palette."""
    return picture.format == "GIF" and _pages(picture) > 1


def _joined(pages: list[Array], ref: Ref, *, mixed: bool) -> Array:
    """Pages as `(C, pages, Y, X)`; where they may be `mixed`, greys beside colours of their type become colours."""
    sizes, kinds = {p.shape[1:] for p in pages}, {(p.shape[0], p.dtype) for p in pages}
    if len(sizes) > 1 or (len(kinds) > 1 and not (mixed and len({p.dtype for p in pages}) == 1)):
        shown = [p.shape for p in pages] if len(sizes) > 1 else [f"{p.shape[0]} × {p.dtype}" for p in pages]
        what = "sizes" if len(sizes) > 1 else "kinds, of greys and colours or of several types"
        raise FormatError(
            f"{ref}: pages of several {what}", found=str(shown[:4]), hint="name one by its index"
        )
    most = max(p.shape[0] for p in pages)
    return np.stack([p if len(p) == most else np.repeat(p, most, axis=0) for p in pages], axis=1)


def _pages(picture: Pil.Image) -> int:
    return int(getattr(picture, "n_frames", 1)) if picture.format in ("TIFF", "GIF", "WEBP", "PNG") else 1


def _deep_tiff(picture: Pil.Image) -> bool:
    """Return whether this is a TIFF of several colours with more than 8 bits each."""
    if picture.format != "TIFF" or len(picture.getbands()) < 3:
        return False
    bits = picture.getexif().get(258, 8)
    return int(max(bits if isinstance(bits, tuple) else (bits,))) > 8


def _plane(picture: Pil.Image, ref: Ref, as_mask: bool, *, grey: bool = False) -> Array:
    """Return one page as `(C, Y, X)`; with `grey`, colours that are all grey are greys, as those of a palette are."""
    picture.load()
    page = ImageOps.exif_transpose(picture)
    mode = page.mode
    if mode in ("P", "PA"):
        page = page.getchannel(0) if mode == "PA" else page
        if as_mask:
            return np.asarray(page)[None]
        return _without_colour(np.asarray(page.convert("RGB")).transpose(2, 0, 1))
    if mode == "1":
        return np.asarray(page).astype(np.uint8)[None]
    if mode in ("LA", "La"):
        return np.asarray(page.getchannel(0))[None]
    if mode == "I" and picture.format == "PNG":
        return np.asarray(page).astype(np.uint16)[None]
    if mode in ("RGBA", "RGBX", "CMYK", "YCbCr"):
        page = page.convert("RGB")
    elif mode not in _PLAIN:
        raise FormatError(f"{ref}: unsupported colour space", found=mode, hint="convert it to RGB")
    array = np.asarray(page)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.ndim == 2:
        return array[None]
    return _without_colour(array.transpose(2, 0, 1)) if grey else array.transpose(2, 0, 1)


def _without_colour(colours: Array) -> Array:
    """Return colours `(3, Y, X)` as `(1, Y, X)` where red, green and blue are the same everywhere."""
    same = (colours[0] == colours[1]).all() and (colours[0] == colours[2]).all()
    return colours[:1] if same else colours


def _by_tifffile(path: Path, ref: Ref) -> tuple[Array, tuple[str, ...], list[int | None]] | None:
    """TIFFs that Pillow does not know (16 bits a colour, 16-bit signed, 64-bit floats), channels' names, orientations.

    Only what the file calls RGB is in colour; other samples of a pixel are channels without a name.
    """
    import tifffile

    with file_io.typed_errors(ref, tifffile.TiffFileError), tifffile.TiffFile(path) as file:
        series = file.series[0]
        if int(np.prod(series.shape)) > MOST_PIXELS:
            raise FormatError(f"{ref}: too large for a picture", found=str(series.shape))
        array = series.asarray()
        pages = [page.keyframe if page is not None else None for page in series.pages]
        said = [None if page is None else page.tags.get(exif.TAG) for page in pages]
        tags = [exif.valid(None if tag is None else int(tag.value)) for tag in said]
        colour = series.keyframe.photometric in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
    if array.dtype.kind not in "iuf" or array.ndim not in (2, 3, 4):
        return None
    colour = colour and array.ndim > 2 and array.shape[-1] in (3, 4)
    if array.ndim > 2 and array.shape[-1] in (3, 4):
        array = np.moveaxis(array[..., :3] if colour else array, -1, 0)
    elif array.ndim == 4:
        return None
    else:
        array = array[None]
    if array.ndim == 3:
        array = array[:, None]
    if len({tag or 1 for tag in tags}) > 1:
        raise FormatError(f"{ref}: pages of several EXIF orientations", hint="save them upright")
    array = exif.turned(array, tags[0])
    array = array if ref.index is None else array[:, ref.index : ref.index + 1]
    return array, COLOURS if colour else (), tags


def _check_png(data: bytes, ref: Ref) -> None:
    """Every chunk's CRC, and the end: Pillow skips both for pixel data."""
    at, view = 8, memoryview(data)
    while at + 12 <= len(view):
        length = int.from_bytes(view[at : at + 4], "big")
        end = at + 12 + length
        if end > len(view):
            break
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise FormatError(f"{ref}: damaged, a checksum does not match", found=f"chunk at byte {at}")
        if data[at + 4 : at + 8] == b"IEND":
            return
        at = end
    raise FormatError(f"{ref}: truncated", found=f"{len(view):,} bytes and no end mark")


def _errors() -> tuple[type[Exception], ...]:
    return (*file_io.DAMAGE, Pil.DecompressionBombError, UnidentifiedImageError)


def _typed(ref: Ref, error: Exception) -> FormatError:
    if isinstance(error, UnidentifiedImageError):
        return FormatError(
            f"{ref}: damaged, or not a picture", found="first bytes of no known picture format"
        )
    return FormatError(f"{ref}: cannot be read, damaged or too large", found=str(error)[:200] or repr(error))


def _kind(path: Path) -> str:
    suffix = path.suffix.lower().lstrip(".")
    return {"jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF", "tiff": "TIFF"}.get(suffix, suffix.upper())


def _writable(array: Array, path: Path, kind: str) -> Array:
    if array.ndim != 4 or array.shape[0] not in (1, 3):
        raise OutputError(
            f"{path}: pictures have one or three channels", found=f"shape {array.shape}", hint=".npz"
        )
    if array.dtype.kind in "biu":
        low, high = int(array.min()), int(array.max())
        if low < 0 or high > 65535:
            raise OutputError(f"{path}: pictures hold 0 to 65535", found=f"{low} to {high}", hint=".nii.gz")
        if array.dtype.itemsize > 2 or array.dtype.kind != "u":
            array = array.astype(np.uint8 if high <= 255 else np.uint16)
        if array.dtype == np.uint16 and (array.shape[0] == 3 or kind not in ("PNG", "TIFF")):
            raise OutputError(f"{path}: 16 bits are written for greys in PNG and TIFF only", hint=".nii.gz")
        return array
    if kind != "TIFF" or array.shape[0] == 3:
        raise OutputError(
            f"{path}: floats are written as grey TIFF only", found=str(array.dtype), hint=".tif"
        )
    return array.astype(np.float32)


def _coloured(pages: Sequence[Pil.Image], labels: Sequence[Label]) -> None:
    """Give greys a palette of the labels' colours, where each label has one; their values stay."""
    colours = {x.value: bytes.fromhex(x.colour[1:]) for x in labels if x.colour is not None}
    if labels and len(colours) == len(labels):
        palette = b"".join(colours.get(v, bytes(3)) for v in range(256))
        for page in pages:
            page.putpalette(palette)


def _page(plane: Array) -> Pil.Image:
    pixels = plane[0] if plane.shape[0] == 1 else plane.transpose(1, 2, 0)
    return Pil.fromarray(np.ascontiguousarray(pixels))
