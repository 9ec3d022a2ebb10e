"""Pictures against Pillow and tifffile: bit depths, palettes, alpha, orientation, pages, damage."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pil

from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.core.image import Image

GREY = np.arange(5 * 6, dtype=np.uint8).reshape(5, 6) * 8
COLOUR = np.random.default_rng(3).integers(0, 255, (5, 6, 3)).astype(np.uint8)


def saved(path: Path, array: np.ndarray, mode: str | None = None, **options: object) -> Path:
    picture = Pil.fromarray(array)
    (picture.convert(mode) if mode else picture).save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp", ".gif"])
def test_colours_and_greys_as_pillow_wrote_them(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == ".webp" else {}
    if suffix != ".gif":
        image = formats.read(saved(tmp_path / f"c{suffix}", COLOUR, **options))
        assert np.array_equal(image.array, COLOUR.transpose(2, 0, 1)[:, None])
        assert image.channels == ("red", "green", "blue")
    if suffix != ".webp":  # WebP has no greys
        image = formats.read(saved(tmp_path / f"g{suffix}", GREY))
        assert np.array_equal(image.array, GREY[None, None]) and image.channels == ()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_kept(tmp_path: Path, suffix: str) -> None:
    deep = (np.arange(30, dtype=np.uint16) * 2000).reshape(5, 6)
    image = formats.read(saved(tmp_path / f"d{suffix}", deep))
    assert image.array.dtype == np.uint16 and np.array_equal(image.array[0, 0], deep)
    again = formats.write(image, tmp_path / f"e{suffix}")
    assert np.array_equal(np.asarray(Pil.open(again)), deep)
    assert formats.header(again).dtype == "uint16"


def test_alpha_is_dropped(tmp_path: Path) -> None:
    rgba = np.dstack([COLOUR, np.full((5, 6), 7, np.uint8)])
    assert np.array_equal(
        formats.read(saved(tmp_path / "a.png", rgba)).array[:, 0], COLOUR.transpose(2, 0, 1)
    )
    la = np.dstack([GREY, np.full((5, 6), 7, np.uint8)])
    assert np.array_equal(formats.read(saved(tmp_path / "b.png", la)).array[0, 0], GREY)


@pytest.mark.parametrize("suffix", [".png", ".gif", ".tif", ".bmp"])
def test_a_palette_is_its_colours_in_an_image_and_its_indexes_in_a_mask(tmp_path: Path, suffix: str) -> None:
    indexes = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    picture = Pil.fromarray(indexes).convert("P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.putdata(indexes.reshape(-1).tolist())
    picture.save(tmp_path / f"p{suffix}")
    image = formats.read(tmp_path / f"p{suffix}")
    assert image.array[:, 0, 0, 1].tolist() == [255, 0, 0] and image.array[:, 0, 0, 2].tolist() == [0, 255, 0]
    assert formats.read_mask(tmp_path / f"p{suffix}").array.tolist() == [[indexes.tolist()]]
    assert formats.header(tmp_path / f"p{suffix}").channels == 3


def test_bilevel_masks_and_0_255_masks_keep_their_values(tmp_path: Path) -> None:
    bits = np.array([[0, 255], [255, 0]], np.uint8)
    saved(tmp_path / "b.png", bits, "1")
    assert formats.read_mask(tmp_path / "b.png").array.tolist() == [[[[0, 1], [1, 0]]]]
    saved(tmp_path / "g.png", bits)
    assert formats.read_mask(tmp_path / "g.png").array.tolist() == [[bits.tolist()]]


def test_the_orientation_of_a_photograph_is_applied_and_its_dpi_is_no_spacing(tmp_path: Path) -> None:
    exif = Pil.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    wide = np.zeros((8, 16, 3), np.uint8)
    wide[:, :8] = 255
    Pil.fromarray(wide).save(tmp_path / "o.jpg", exif=exif, dpi=(300, 300), quality=95)
    image = formats.read(tmp_path / "o.jpg")
    assert image.shape == (1, 16, 8) == formats.header(tmp_path / "o.jpg").shape
    assert image.array[0, 0, :7].min() > 200 and image.array[0, 0, 9:].max() < 60  # left became top
    assert image.spacing_mm is None and image.affine is None


def test_pages_stand_along_z_or_are_picked(tmp_path: Path) -> None:
    pages = [Pil.fromarray(GREY + k) for k in range(3)]
    pages[0].save(tmp_path / "m.tif", save_all=True, append_images=pages[1:])
    image = formats.read(tmp_path / "m.tif")
    assert np.array_equal(image.array[0], np.stack([GREY + k for k in range(3)]))
    assert (
        formats.header(tmp_path / "m.tif").shape == (3, 5, 6)
        and formats.header(tmp_path / "m.tif").items == 3
    )
    one = formats.read(Ref((tmp_path / "m.tif",), None, 1))
    assert np.array_equal(one.array, (GREY + 1)[None, None])
    with pytest.raises(FormatError, match="no such page"):
        formats.read(Ref((tmp_path / "m.tif",), None, 3))
    pages[0].save(tmp_path / "n.tif", save_all=True, append_images=[Pil.fromarray(GREY[:2])])
    with pytest.raises(FormatError, match="several sizes"):
        formats.read(tmp_path / "n.tif")


@pytest.mark.parametrize(
    "array", [np.arange(90, dtype=np.uint16).reshape(5, 6, 3), np.arange(30).reshape(5, 6) / 7]
)
def test_tiffs_that_pillow_does_not_know(tmp_path: Path, array: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "t.tif", array)
    image = formats.read(tmp_path / "t.tif")
    wanted = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    assert np.array_equal(image.array[:, 0], wanted) and image.array.dtype == array.dtype


def test_float_and_several_planes_go_to_tiff(tmp_path: Path) -> None:
    array = np.linspace(-1, 1, 2 * 5 * 6).reshape(1, 2, 5, 6).astype(np.float32)
    back = formats.read(formats.write(Image(array=array), tmp_path / "f.tif"))
    assert np.array_equal(back.array, array)
    assert np.array_equal(tifffile.imread(tmp_path / "f.tif"), array[0])


@pytest.mark.parametrize(("high", "mode"), [(3, "L"), (255, "L"), (256, "I;16"), (65535, "I;16")])
def test_label_values_keep_their_numbers(tmp_path: Path, high: int, mode: str) -> None:
    array = np.array([[[[0, 1], [high, 2]]]], np.int64)
    path = formats.write(Mask(image=Image(array=array), labels=()), tmp_path / "m.png")
    assert Pil.open(path).mode == mode
    assert np.array_equal(formats.read_mask(path).array, array)


def test_jpeg_masks_with_many_values_are_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    with pytest.raises(FormatError, match="JPEG"):
        formats.read_mask(saved(tmp_path / "n.jpg", noise))
    flat = np.zeros((64, 64), np.uint8)
    flat[:32] = 255
    assert set(np.unique(formats.read_mask(saved(tmp_path / "f.jpg", flat)).array)) == {0, 255}


# --- damage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".gif", ".webp"])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_truncated(tmp_path: Path, suffix: str, keep: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    path = saved(tmp_path / f"x{suffix}", noise)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(FormatError, match=r"x\."):
        formats.read(path)


def test_one_flipped_bit_in_a_png_is_never_read_quietly(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 20)).astype(np.uint8)
    path = saved(tmp_path / "x.png", noise)
    good = path.read_bytes()
    for at in range(8, len(good), 5):
        bad = bytearray(good)
        bad[at] ^= 1 << at % 8
        path.write_bytes(bad)
        with pytest.raises(FormatError):
            formats.read(path)


def test_a_png_without_its_end_is_truncated(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.png", GREY)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(FormatError, match="truncated"):
        formats.read(path)


@pytest.mark.parametrize("size", [(0, 5), (30000, 30000), (2**31 - 1, 2**31 - 1)])
def test_sizes_that_are_none_or_a_bomb(tmp_path: Path, size: tuple[int, int]) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    raw = io.BytesIO()
    raw.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)))
    raw.write(chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))
    (tmp_path / "b.png").write_bytes(raw.getvalue())
    with pytest.raises(FormatError, match=r"b\.png"):
        formats.read(tmp_path / "b.png")


@pytest.mark.realdata
def test_drive_and_busi(shared_data: Path) -> None:
    drive = shared_data / "drive" / "training"
    photo, vessels = drive / "images" / "21_training.tif", drive / "1st_manual" / "21_manual1.gif"
    assert formats.read(photo).array.shape == (3, 1, 584, 565)
    mask = formats.read_mask(vessels)
    assert mask.shape == (1, 584, 565) and set(np.unique(mask.array)) == {0, 255}
    assert np.array_equal(mask.array[0, 0], np.asarray(Pil.open(vessels).convert("L")))
    busi = sorted((shared_data / "busi" / "benign").glob("*(1*).png"))[:5]
    for path in busi:
        assert np.array_equal(formats.read(path).array[:, 0], np.asarray(Pil.open(path)).transpose(2, 0, 1))
