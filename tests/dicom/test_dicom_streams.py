"""Pixels in streams: JPEG XL, single bits by RLE, colour in deflated frames, and video."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from _studies import cine, plane
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, itemize_frame
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import UID, HTJ2KLossless

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, MissingExtra
from vesalius.dicom.pixels import video as videos

JPEG_XL = "1.2.840.10008.1.2.4.110"
MPEG2 = "1.2.840.10008.1.2.4.100"
RANDOM = np.random.default_rng(0)


def stream(path: Path, data: Dataset, syntax: str, frames: list[bytes]) -> Path:
    data.PixelData = encapsulate(frames)
    data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
    known = UID(syntax).is_transfer_syntax  # JPEG XL is too new for pydicom to write
    data.file_meta.TransferSyntaxUID = UID(syntax if known else HTJ2KLossless)
    data.save_as(path, enforce_file_format=True)
    if not known:
        path.write_bytes(
            path.read_bytes().replace(
                HTJ2KLossless.encode(), syntax.encode().ljust(len(HTJ2KLossless), b"\0")
            )
        )
    return path


def grey(pixels: Any, **values: object) -> Dataset:
    data = plane(0, "1.2.3")
    data.Rows, data.Columns = pixels.shape
    data.BitsAllocated = data.BitsStored = 8 * pixels.itemsize
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(pixels.dtype.kind == "i")
    data.RescaleSlope, data.RescaleIntercept = 1, 0
    for name, value in values.items():
        setattr(data, name, value)
    return data


@pytest.mark.parametrize("shape", [(40, 40), (31, 57), (300, 200), (64, 128), (48, 64), (8, 256)])
@pytest.mark.parametrize("kind", ["u1", "u2", "i2"])
def test_jpeg_xl_is_read_as_it_was_stored(tmp_path: Path, kind: str, shape: tuple[int, int]) -> None:
    reach = np.iinfo(kind)
    pixels = RANDOM.integers(reach.min, reach.max, shape, kind, endpoint=True)
    packed = imagecodecs.jpegxl_encode(pixels.view(f"u{pixels.itemsize}"), lossless=True)
    path = stream(tmp_path / "x.dcm", grey(pixels), JPEG_XL, [packed])
    assert np.array_equal(formats.read(path).array[0, 0], pixels)


def test_jpeg_xl_in_colour_and_in_a_container(tmp_path: Path) -> None:
    pixels = RANDOM.integers(0, 256, (20, 30, 3), np.uint8)
    bare = imagecodecs.jpegxl_encode(pixels, lossless=True)
    boxed = imagecodecs.jpegxl_encode(pixels, lossless=True, usecontainer=True)
    assert bare[:2] == b"\xff\x0a" and boxed[4:8] == b"JXL "
    for said in ("RGB", "YBR_FULL"):  # a decoder gives RGB, whatever the header says
        for packed in (bare, boxed):
            data = grey(
                pixels[..., 0], SamplesPerPixel=3, PhotometricInterpretation=said, PlanarConfiguration=0
            )
            path = stream(tmp_path / "x.dcm", data, JPEG_XL, [packed])
            assert np.array_equal(formats.read(path).array[:, 0], pixels.transpose(2, 0, 1))


def test_a_jpeg_xl_that_lies_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: bytes) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(imagecodecs, "jpegxl_decode", never)
    large = imagecodecs.jpegxl_encode(np.zeros((4000, 3000), np.uint8), lossless=True)
    for frame, says in ((large, "found 4000 × 3000, not 8 × 8"), (b"\xff\xd8" * 40, "no JPEG XL stream")):
        path = stream(tmp_path / "x.dcm", grey(np.zeros((8, 8), np.uint8)), JPEG_XL, [frame])
        with pytest.raises(FormatError, match=says):
            formats.read(path)


def bits(frames: int, shape: tuple[int, int]) -> tuple[Any, Dataset]:
    pixels = RANDOM.integers(0, 2, (frames, *shape), np.uint8)
    pixels[:, :, : shape[1] // 2] = 0
    data = grey(pixels[0], BitsAllocated=1, BitsStored=1, HighBit=0, NumberOfFrames=frames, FrameTime=40)
    return pixels, data


def test_single_bits_packed_by_rle(tmp_path: Path) -> None:
    pixels, data = bits(3, (9, 13))
    head = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56)
    packed = [imagecodecs.packbits_encode(np.packbits(p, bitorder="little").tobytes()) for p in pixels]
    frames = [head + p + bytes(len(p) % 2) for p in packed]
    path = stream(tmp_path / "b.dcm", data, "1.2.840.10008.1.2.5", frames)
    read = [formats.read(Ref((path,), index=k)).array[0, 0] for k in range(3)]
    assert np.array_equal(np.stack(read), pixels)
    for bad, says in (
        ((2).to_bytes(4, "little") + frames[0][4:], "another number than said; found 2, not 1"),
        (frames[0][:68], "damaged"),
    ):
        path = stream(tmp_path / "b.dcm", data, "1.2.840.10008.1.2.5", [bad, *frames[1:]])
        with pytest.raises(FormatError, match=says):
            formats.read(Ref((path,), index=0))


@pytest.mark.parametrize("name", ["liver", "liver_nonbyte_aligned"])
def test_single_bits_are_the_same_however_they_are_packed(shared_data: Path, name: str) -> None:
    folder = shared_data / "dicom_zoo/pydicom-data/data_store/data"
    plain = formats.read(folder / f"{name}.dcm").array
    assert plain.sum() > 100_000
    for how in ("rle", "j2k", "deflate"):
        assert np.array_equal(formats.read(folder / f"{name}_{how}.dcm").array, plain), how


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("said", ["RGB", "YBR_FULL"])
def test_colour_in_deflated_frames(tmp_path: Path, said: str, planar: int) -> None:
    pixels = RANDOM.integers(0, 256, (6, 7, 3), np.uint8)
    packer = zlib.compressobj(wbits=-15)
    order = pixels.transpose(2, 0, 1) if planar else pixels
    packed = packer.compress(order.tobytes()) + packer.flush()
    data = grey(pixels[..., 0], SamplesPerPixel=3, PhotometricInterpretation=said, PlanarConfiguration=planar)
    path = stream(tmp_path / "d.dcm", data, "1.2.840.10008.1.2.8.1", [packed + bytes(len(packed) % 2)])
    wanted = pixels if said == "RGB" else convert_color_space(pixels, "YBR_FULL", "RGB")
    assert np.array_equal(formats.read(path).array[:, 0], wanted.transpose(2, 0, 1))


def film(folder: Path, frames: int, shape: tuple[int, int] = (48, 64)) -> bytes:
    """An MPEG-2 stream in which a red bar grows by three columns a frame."""
    cv2 = pytest.importorskip("cv2")
    writer = cv2.VideoWriter(str(folder / "f.mpg"), cv2.VideoWriter_fourcc(*"MPG2"), 25.0, shape[::-1])
    for k in range(frames):
        frame = np.zeros((*shape, 3), np.uint8)
        frame[:, : 3 * k + 3] = (0, 0, 255)  # blue, green, red
        writer.write(frame)
    writer.release()
    return (folder / "f.mpg").read_bytes()


def video(path: Path, packed: bytes, frames: int, **values: object) -> Path:
    cine(path, 1, Rows=48, Columns=64, PixelData=bytes(48 * 64 * 3))
    data = pydicom.dcmread(path)
    data.NumberOfFrames, data.FrameTime = frames, 40
    data.PhotometricInterpretation = "YBR_PARTIAL_420"
    for name, value in values.items():
        setattr(data, name, value)
    stream(path, data, MPEG2, [packed])
    return path


def test_a_video_is_a_cine(tmp_path: Path) -> None:
    path = video(tmp_path / "v.dcm", film(tmp_path, 20), 20)
    image = formats.read(path)
    assert image.array.shape == (20, 3, 1, 48, 64) and image.times_s is not None
    assert image.times_s[-1] == pytest.approx(0.76)
    red = (image.array[:, 0, 0] > 128) & (image.array[:, 2, 0] < 100)
    assert np.abs(red.sum((1, 2)) / 48 - 3 * np.arange(1, 21)).max() <= 1
    for k in (13, 2):  # one by itself, and an earlier one
        assert np.array_equal(formats.read(Ref((path,), index=k)).array, image.array[k])


def test_a_video_in_fragments(tmp_path: Path) -> None:
    packed = film(tmp_path, 5)
    whole = formats.read(video(tmp_path / "v.dcm", packed, 5)).array
    data = pydicom.dcmread(tmp_path / "v.dcm")
    data.PixelData = (
        b"\xfe\xff\x00\xe0\0\0\0\0" + b"".join(itemize_frame(packed, 4)) + b"\xfe\xff\xdd\xe0\0\0\0\0"
    )
    data.file_meta.TransferSyntaxUID = UID(f"{MPEG2}.1")
    data.save_as(tmp_path / "w.dcm")
    assert np.array_equal(formats.read(tmp_path / "w.dcm").array, whole)


def test_frames_may_be_asked_for_in_any_order(tmp_path: Path) -> None:
    film_ = videos.Video(film(tmp_path, 40), (48, 64), tmp_path)
    wide = [int((film_.plane(k)[..., 0] > 128)[0].sum()) for k in (0, 39, 21, 5, 6, 38)]
    assert wide == pytest.approx([3, 64, 64, 18, 21, 64], abs=1)


def test_what_is_no_video_or_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = film(tmp_path, 5)
    for args, says in (
        ((packed, 9), "truncated; found 5 frames of video"),
        ((bytes(2000), 5), "no video that can be decoded"),
        ((film(tmp_path, 5, (64, 48)), 5), "found 64 × 48, not 48 × 64"),
    ):
        with pytest.raises(FormatError, match=says):
            formats.read(video(tmp_path / "v.dcm", *args))
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingExtra, match=r"vesalius\[video\]"):
        formats.read(video(tmp_path / "v.dcm", packed, 5))


def test_a_jp2_file_whose_boxes_lead_nowhere_ends(tmp_path: Path) -> None:
    """A box of length 0, at which pydicom would look for ever."""
    pixels = RANDOM.integers(0, 256, (20, 30, 3), np.uint8)
    jp2 = imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="jp2", reversible=True)
    bad = jp2[:12] + bytes(4) + jp2[16:]
    data = grey(pixels[..., 0], SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    path = stream(tmp_path / "x.dcm", data, "1.2.840.10008.1.2.4.90", [bad])
    with pytest.raises(FormatError, match="boxes lead to no code stream"):
        formats.read(path)
