"""Animated pictures frame by frame as Pillow composes them, and pictures that EXIF turns, in every format with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pil
from PIL import ImageOps

from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.core.grids import EXIF_ORIENTATION, mask_fault
from vesalius.core.image import Image

RNG = np.random.default_rng(5)
GREYS = [RNG.integers(0, 256, (9, 12)).astype(np.uint8) for _ in range(3)]


def composed(path: Path) -> np.ndarray:
    """`(frames, Y, X, 3)` as Pillow composes the frames."""
    with Pil.open(path) as picture:
        count = picture.n_frames  # type: ignore[attr-defined]
        return np.stack([(picture.seek(k), np.asarray(picture.convert("RGB")))[1] for k in range(count)])


def animated(path: Path, frames: list[Pil.Image], **options: object) -> Path:
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=80, **options)  # type: ignore[arg-type]
    return path


def test_a_grey_animated_gif_is_grey_frames_of_one_size(tmp_path: Path) -> None:
    path = animated(tmp_path / "g.gif", [Pil.fromarray(g) for g in GREYS])
    image = formats.read(path)
    assert image.array.shape == (1, 3, 9, 12) and image.array.dtype == np.uint8
    assert np.array_equal(image.array[0], np.stack(GREYS))
    head = formats.header(path)
    assert (head.shape, head.channels, head.items) == ((3, 9, 12), 1, 3)
    for k in range(3):
        one = formats.read(Ref((path,), None, k))
        assert np.array_equal(one.array, GREYS[k][None, None])
        assert formats.header(Ref((path,), None, k)).shape == (1, 9, 12)
    assert np.array_equal(formats.read_mask(path).array[0], np.stack(GREYS))


@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
@pytest.mark.parametrize("palette", ["grey", "grey first", "colour", "transparent"])
def test_gif_frames_as_pillow_composes_them(tmp_path: Path, disposal: int, palette: str) -> None:
    frames = []
    for k in range(4):
        rgba = np.zeros((10, 14, 4), np.uint8)
        rgba[..., 3] = 255
        rgba[k : k + 3, 2 * k : 2 * k + 4, :3] = (
            60 * k + 50
        )  # small changes, so that frames are parts of the whole
        if palette == "colour" or (palette == "grey first" and k > 1):
            rgba[k + 1, 2 * k, :3] = (255, 10 * k, 0)
        if palette == "transparent":
            rgba[6:, :, 3] = 0
        frames.append(Pil.fromarray(rgba) if palette == "transparent" else Pil.fromarray(rgba[..., :3]))
    path = animated(tmp_path / "p.gif", frames, disposal=disposal)
    image, wanted = formats.read(path), composed(path)
    assert image.shape == wanted.shape[:3] and len(wanted) == 4
    assert image.array.shape[0] == (1 if palette in ("grey", "transparent") else 3)
    shown = np.broadcast_to(image.array, (3, *image.shape))
    assert np.array_equal(shown.transpose(1, 2, 3, 0), wanted)
    assert formats.header(path).channels == image.array.shape[0]


def test_colours_of_an_animated_mask_are_one_value_a_colour_in_every_frame(tmp_path: Path) -> None:
    drawn = np.zeros((2, 6, 8, 3), np.uint8)
    drawn[0, 0, 0], drawn[1, 1, 1], drawn[1, 2, 2] = (255, 0, 0), (255, 0, 0), (0, 0, 255)
    mask = formats.read_mask(animated(tmp_path / "m.gif", [Pil.fromarray(d) for d in drawn])).array[0]
    assert mask[0, 0, 0] == mask[1, 1, 1] == 0xFF0000 and mask[1, 2, 2] == 0x0000FF
    assert np.count_nonzero(mask) == 3


@pytest.mark.parametrize("suffix", [".png", ".webp"])
@pytest.mark.parametrize("colour", [False, True])
def test_other_animations(tmp_path: Path, suffix: str, colour: bool) -> None:
    frames = [Pil.fromarray(np.dstack([g, g // 2, g]) if colour else g) for g in GREYS]
    path = animated(tmp_path / f"a{suffix}", frames, **({"lossless": True} if suffix == ".webp" else {}))
    image, wanted = formats.read(path), composed(path)
    assert image.shape == (3, 9, 12)
    assert np.array_equal(np.broadcast_to(image.array, (3, 3, 9, 12)).transpose(1, 2, 3, 0), wanted)
    assert formats.header(path).shape == (3, 9, 12)


def test_an_animated_png_of_a_palette_that_turns_from_grey_to_colour(tmp_path: Path) -> None:
    frames = []
    for k in range(2):
        picture = Pil.new("P", (5, 4), 0)
        picture.putpalette([0, 0, 0, 255, 255, 255, 255, 0, 0])
        picture.putpixel((1, 1), 1 + k)
        frames.append(picture)
    path = animated(tmp_path / "p.png", frames)
    image = formats.read(path)
    assert np.array_equal(image.array.transpose(1, 2, 3, 0), composed(path))
    assert formats.read_mask(path).array[0, :, 1, 1].tolist() == [1, 2]


def test_pages_of_greys_beside_colours_are_colours_and_never_one_mask(tmp_path: Path) -> None:
    colours = np.dstack([GREYS[1], GREYS[0], GREYS[2]])
    pages = [Pil.fromarray(GREYS[0]), Pil.fromarray(colours)]
    pages[0].save(tmp_path / "m.tif", save_all=True, append_images=pages[1:])
    array = formats.read(tmp_path / "m.tif").array
    assert np.array_equal(array[:, 0], np.stack([GREYS[0]] * 3))
    assert np.array_equal(array[:, 1], colours.transpose(2, 0, 1))
    with pytest.raises(FormatError, match="pages of several kinds"):
        formats.read_mask(tmp_path / "m.tif")


# --- EXIF ----------------------------------------------------------------------------------------------------


def tagged(path: Path, array: np.ndarray, tag: int) -> Path:
    exif = Pil.Exif()
    exif[0x0112] = tag
    options = {".webp": {"lossless": True}, ".tif": {"compression": "tiff_deflate"}}.get(path.suffix, {})
    Pil.fromarray(array).save(path, exif=exif, **options)  # type: ignore[arg-type]
    return path


def as_seen(array: np.ndarray, tag: int) -> np.ndarray:
    """A plane as Pillow turns a PNG whose pixels are the places 0, 1, 2 … of its own."""
    places = Pil.fromarray(np.arange(array.size, dtype=np.uint8).reshape(array.shape))
    places.getexif()[0x0112] = tag
    return array.reshape(-1)[np.asarray(ImageOps.exif_transpose(places))]


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "tif", "webp", "bare.tif", "deep.tif", "floats.tif"])
def test_every_orientation_in_every_format(tmp_path: Path, kind: str, tag: int) -> None:
    stored = GREYS[0] if kind != "webp" else np.dstack([GREYS[0]] * 3)
    path = tmp_path / f"x.{kind}"
    if kind == "deep.tif":  # 16-bit colours and doubles, which Pillow does not read
        stored = np.dstack(GREYS).astype(np.uint16) * 250
    elif kind == "floats.tif":
        stored = GREYS[0] / 7
    if "." in kind:
        tifffile.imwrite(path, stored, extratags=[(0x0112, "H", 1, tag, True)])
    else:
        tagged(path, stored, tag)
    image = formats.read(path)
    planes = stored[None] if stored.ndim == 2 else stored.transpose(2, 0, 1)
    assert np.array_equal(image.array[:, 0], np.stack([as_seen(plane, tag) for plane in planes]))
    assert image.display[EXIF_ORIENTATION] == tag
    head = formats.header(path)
    assert head.shape == image.shape and head.display == image.display
    if kind in ("png", "tif"):
        assert np.array_equal(formats.read_mask(path).array, image.array)


def test_pages_are_turned_each_by_its_own_orientation(tmp_path: Path) -> None:
    square = [g[:9, :9] for g in GREYS]
    with tifffile.TiffWriter(tmp_path / "m.tif") as file:
        for page, tag in zip(square, (1, 6, 3), strict=True):
            file.write(page, extratags=[(0x0112, "H", 1, tag, False)])
    image = formats.read(tmp_path / "m.tif")
    wanted = [as_seen(page, tag) for page, tag in zip(square, (1, 6, 3), strict=True)]
    assert np.array_equal(image.array[0], np.stack(wanted)) and image.display[EXIF_ORIENTATION] == 6


@pytest.mark.parametrize("tag", [0, 9, 300])
def test_an_orientation_that_is_none_is_left(tmp_path: Path, tag: int) -> None:
    image = formats.read(tagged(tmp_path / "x.png", GREYS[0], tag))
    assert np.array_equal(image.array[0, 0], GREYS[0]) and EXIF_ORIENTATION not in image.display


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("tag", [3, 6])
def test_a_written_answer_fits_the_photograph_that_it_was_made_from(
    tmp_path: Path, suffix: str, tag: int
) -> None:
    photograph = formats.read(tagged(tmp_path / "p.jpg", GREYS[0][:9, :9], tag))
    drawn = np.zeros((1, *photograph.shape), np.uint8)
    drawn[0, 0, :4, :2] = 1
    path = formats.write(Mask(image=Image(drawn), labels=()), tmp_path / f"m{suffix}")
    again = formats.read_mask(path)
    assert np.array_equal(again.array, drawn) and mask_fault(photograph, again) is None
    assert np.array_equal(np.asarray(Pil.open(path).convert("L")), drawn[0, 0])
    Pil.fromarray(drawn[0, 0]).save(tmp_path / "other.png")
    assert f"EXIF orientation {tag}" in str(mask_fault(photograph, formats.read_mask(tmp_path / "other.png")))
    stored = tagged(
        tmp_path / "stored.png", np.ascontiguousarray(drawn[0, 0]), tag
    )  # drawn on the pixels as stored
    assert mask_fault(photograph, formats.read_mask(stored)) is None
    assert np.array_equal(formats.read_mask(stored).array[0, 0], as_seen(drawn[0, 0], tag))
