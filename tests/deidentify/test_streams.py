"""What is told beside the picture in compressed frames goes, and the picture stays as it was."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from _planted import ct, save
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGLossless, RLELossless

from vesalius import deidentify
from vesalius.deidentify import _boxes, _segments

SECRET = b"KowalskiZq"
PIXELS = np.random.default_rng(0).integers(0, 4000, (48, 40), np.uint16)


def box(kind: bytes, *content: bytes) -> bytes:
    whole = b"".join(content)
    return struct.pack(">I", 8 + len(whole)) + kind + whole


def comment(text: bytes) -> bytes:
    return b"\xff\x64" + struct.pack(">HH", 4 + len(text), 1) + text


def test_comments_of_a_tile_s_header_and_what_follows_the_end() -> None:
    plain = imagecodecs.jpeg2k_encode(PIXELS, level=0, codecformat="j2k", reversible=True)
    tile = plain.index(b"\xff\x90")
    data, note = plain.index(b"\xff\x93", tile), comment(SECRET)
    (length,) = struct.unpack_from(">I", plain, tile + 6)
    assert tile + length == len(plain) - 2
    said = struct.pack(">I", length + len(note))
    bad = plain[:tile] + note + plain[tile : tile + 6] + said + plain[tile + 10 : data] + note + plain[data:]
    for told in (bad, bad + SECRET):
        assert np.array_equal(imagecodecs.jpeg2k_decode(told), PIXELS) and told.count(SECRET) >= 2
        clean = _segments.frame(told)
        assert SECRET not in clean and np.array_equal(imagecodecs.jpeg2k_decode(clean), PIXELS)


def test_boxes_beside_a_picture() -> None:
    jp2 = imagecodecs.jpeg2k_encode(PIXELS, level=0, codecformat="jp2", reversible=True)
    jxl = imagecodecs.jpegxl_encode(PIXELS, lossless=True, usecontainer=True)
    for plain, decode in ((jp2, imagecodecs.jpeg2k_decode), (jxl, imagecodecs.jpegxl_decode)):
        told = plain + box(b"xml ", SECRET) + box(b"Exif", SECRET) + box(b"uuid", bytes(16), SECRET)
        assert np.array_equal(decode(told), PIXELS)
        clean = _segments.frame(told)
        assert SECRET not in clean and np.array_equal(decode(clean), PIXELS)


def test_titles_and_dates_of_a_film() -> None:
    dates = struct.pack(">II", 3_700_000_000, 3_700_000_001)
    moov = box(
        b"moov",
        box(b"mvhd", bytes(4), dates, bytes(92)),
        box(
            b"trak",
            box(b"mdia", box(b"mdhd", b"\1\0\0\0", dates * 2, bytes(16)), box(b"hdlr", bytes(24), SECRET)),
        ),
        box(b"udta", box(b"meta", SECRET)),
    )
    film = box(b"ftyp", b"isom", bytes(4)) + moov + box(b"free", SECRET) + box(b"mdat", b"frames")
    clean = _boxes.film(film)
    assert len(clean) == len(film) and SECRET not in clean and b"frames" in clean
    assert dates[:4] not in clean and clean.index(b"moov") == film.index(b"moov")
    assert _boxes.film(clean) == clean
    with pytest.raises(ValueError):
        _boxes.film(film[:-3])


def test_streams_of_real_files_keep_their_pixels(shared_data: Path) -> None:
    seen = 0
    for path in sorted((shared_data / "dicom_zoo").rglob("*.dcm")):
        with warnings.catch_warnings(action="ignore"):
            try:
                data = pydicom.dcmread(path)
                syntax = str(data.file_meta.TransferSyntaxUID)
            except (pydicom.errors.InvalidDicomError, AttributeError, OSError, ValueError, TypeError):
                continue
            if not syntax.startswith("1.2.840.10008.1.2.4.9") or "PixelData" not in data:
                continue
            for frame in list(
                generate_frames(data.PixelData, number_of_frames=data.get("NumberOfFrames") or 1)
            )[:3]:
                clean = _segments.frame(frame)
                try:
                    wanted = imagecodecs.jpeg2k_decode(frame)
                except imagecodecs.Jpeg2kError:
                    continue
                assert np.array_equal(imagecodecs.jpeg2k_decode(clean), wanted), path
                seen += 1
    assert seen >= 10


def test_colour_without_a_decoder_of_pydicom_s_stays_but_for_what_is_blacked_out(
    tmp_path: Path, tesseract: str
) -> None:
    rgb = np.full((60, 80, 3), 100, np.uint8)
    data = ct(sop_class="1.2.840.10008.5.1.4.1.1.6.1")
    data.Modality, data.Rows, data.Columns, data.SamplesPerPixel = "US", 60, 80, 3
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.PhotometricInterpretation, data.PlanarConfiguration = "RGB", 0
    data.file_meta.TransferSyntaxUID = JPEGLossless
    data.PixelData = encapsulate(
        [imagecodecs.jpeg8_encode(rgb, lossless=True, colorspace="RGB", outcolorspace="RGB")]
    )
    data["PixelData"].is_undefined_length = True
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 10, 10
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 69, 49
    data.SequenceOfUltrasoundRegions = [region]
    (tmp_path / "in").mkdir()
    save(data, tmp_path / "in" / "a.dcm")
    (copy,) = deidentify(tmp_path / "in", tmp_path / "out", options=["clean-pixels"]).out.rglob("*.dcm")
    after = pydicom.dcmread(copy)
    wanted = np.zeros_like(rgb)
    wanted[10:50, 10:70] = 100
    assert not after.file_meta.TransferSyntaxUID.is_compressed and np.array_equal(after.pixel_array, wanted)


def hidden(signed: bool, *, high: int = 11, stored: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Values of 12 bits, and the same with a text in the bits that they do not use."""
    values = np.random.default_rng(1).integers(0, 1 << stored, (40, 50)).astype(np.uint16)
    low = high + 1 - stored
    values = values << low
    if signed:
        values = (values << (15 - high)).view(np.int16) >> (15 - high) >> low << low
        values = values.view(np.uint16)
    text = np.unpackbits(np.frombuffer(SECRET * 25, np.uint8))[: values.size].reshape(values.shape)
    spare = 0xFFFF ^ ((1 << high + 1) - 1) | (1 << low) - 1
    return values, (values & ~np.uint16(spare)) | (text.astype(np.uint16) * spare).astype(np.uint16)


@pytest.mark.parametrize("packed", ["", "rle", "j2k"])
@pytest.mark.parametrize(("signed", "high"), [(False, 11), (True, 11), (False, 13)])
def test_bits_that_no_pixel_uses_are_cleared(tmp_path: Path, packed: str, signed: bool, high: int) -> None:
    values, told = hidden(signed, high=high)
    data = ct()
    data.Rows, data.Columns, data.PixelRepresentation = 40, 50, int(signed)
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, high
    data.PixelData = told.tobytes()
    if packed == "rle":
        planes = [told >> 8, told & 255]
        runs = [imagecodecs.packbits_encode(p.astype(np.uint8).tobytes()) for p in planes]
        first = 64 + len(runs[0])
        head = struct.pack("<16I", 2, 64, first, *[0] * 13)
        data.file_meta.TransferSyntaxUID = RLELossless
        data.PixelData = encapsulate([head + runs[0] + runs[1]])
    elif packed:
        data.file_meta.TransferSyntaxUID = JPEG2000Lossless
        data.PixelData = encapsulate(
            [imagecodecs.jpeg2k_encode(told, level=0, codecformat="j2k", reversible=True)]
        )
    if packed:
        data["PixelData"].is_undefined_length = True
    (tmp_path / "in").mkdir()
    save(data, tmp_path / "in" / "a.dcm")
    made = deidentify(tmp_path / "in", tmp_path / "out", options=[])
    (copy,) = made.out.rglob("*.dcm")
    after = pydicom.dcmread(copy)
    assert not after.file_meta.TransferSyntaxUID.is_compressed
    assert np.array_equal(np.frombuffer(after.PixelData, np.uint16).reshape(values.shape), values)
    assert "bits that no pixel uses" in (made.out / "deidentify.json").read_text()


def test_compressed_frames_whose_bits_are_all_used_stay_as_they_are(tmp_path: Path) -> None:
    values, _ = hidden(False)
    data = ct()
    data.Rows, data.Columns, data.BitsAllocated, data.BitsStored, data.HighBit = 40, 50, 16, 12, 11
    data.PixelRepresentation = 0
    frame = imagecodecs.jpeg2k_encode(values, level=0, codecformat="j2k", reversible=True, bitspersample=12)
    data.PixelData = encapsulate([frame])
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = JPEG2000Lossless
    (tmp_path / "in").mkdir()
    save(data, tmp_path / "in" / "a.dcm")
    (copy,) = deidentify(tmp_path / "in", tmp_path / "out").out.rglob("*.dcm")
    assert pydicom.dcmread(copy).file_meta.TransferSyntaxUID == JPEG2000Lossless
