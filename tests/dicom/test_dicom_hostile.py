"""Hostile and damaged DICOM: an image, a named other object, or one typed error; in bounded memory and time."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from _studies import plane, three_frames
from dicom_mutations import mutants
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from _patience import patience
from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, NotAnImage
from vesalius.dicom import parser
from vesalius.formats import dicom

MUTATIONS = 500

# KiB of the process itself: getrusage's figure begins with that of the process it was started from
PEAK = "pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]"


def saved(data: Dataset, path: Path) -> Path:
    data.save_as(path, enforce_file_format=True)
    return path


def outcome(path: Path) -> str:
    """What became of a file: 'image', the code of what it is, or 'error'. Anything else fails the test."""
    try:
        image = dicom.read(Ref((path,)))
        head = dicom.header(Ref((path,)))
    except NotAnImage as other:
        return other.code
    except FormatError as error:
        assert path.name in str(error) and "\n" not in str(error)
        return "error"
    assert head.shape == image.shape and head.dtype == image.array.dtype.name
    return "image"


def test_seeded_damage_ends_in_an_image_or_a_typed_error(tmp_path: Path) -> None:
    files = [saved(plane(0, "1.3"), tmp_path / "a.dcm").read_bytes()]
    files.append(three_frames(tmp_path / "b.dcm").read_bytes())
    implicit = plane(0, "1.3")
    implicit.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    files.append(saved(implicit, tmp_path / "c.dcm").read_bytes())
    jpeg = plane(0, "1.3")
    jpeg.Rows = jpeg.Columns = 32
    jpeg.PixelData = np.arange(1024, dtype="<u2").tobytes()
    jpeg.compress(JPEG2000Lossless)
    files.append(saved(jpeg, tmp_path / "d.dcm").read_bytes())
    seen: Counter[str] = Counter()
    for k, bad in enumerate(mutants(files, MUTATIONS, seed=3)):
        path = tmp_path / f"m{k % 4}.dcm"
        path.write_bytes(bad)
        seen[outcome(path)] += 1
    assert seen["error"] > MUTATIONS * 0.4 and seen["image"] > MUTATIONS * 0.1, seen


def test_depth_and_inflation_are_capped(tmp_path: Path) -> None:
    raw = saved(plane(0, "1.3"), tmp_path / "n.dcm").read_bytes()
    at = raw.index(b"\xe0\x7f\x10\x00")
    for deep, refused in ((20, False), (40, True), (100_000, True)):
        open_ = b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * deep
        close = (b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0") * deep
        (tmp_path / "n.dcm").write_bytes(raw[:at] + open_ + close + raw[at:])
        if refused:
            with pytest.raises(FormatError, match="nested too deep"):
                dicom.read(Ref((tmp_path / "n.dcm",)))
        else:
            assert dicom.read(Ref((tmp_path / "n.dcm",))).shape == (1, 4, 5)


def test_a_claim_is_refused_before_anything_is_allocated_for_it(tmp_path: Path) -> None:
    """In a process of its own that may use 1 GiB: packed pixels, bare pixels, frames and a deflated bomb."""
    packed = plane(0, "1.3")
    packed.Rows = packed.Columns = 32
    packed.PixelData = np.arange(1024, dtype="<u2").tobytes()
    packed.compress(JPEG2000Lossless)
    packed.Rows = packed.Columns = 65535
    saved(packed, tmp_path / "packed.dcm")
    packed.Rows = packed.Columns = 4000  # within the claim, but not what the stream says
    saved(packed, tmp_path / "stream.dcm")
    bare = plane(0, "1.3")
    bare.Rows = bare.Columns = 65535
    saved(bare, tmp_path / "bare.dcm")
    frames = plane(0, "1.3")
    frames.NumberOfFrames = 2**31 - 1
    saved(frames, tmp_path / "frames.dcm")
    deflated = plane(0, "1.3")
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    good = saved(deflated, tmp_path / "bomb.dcm").read_bytes()
    start = 144 + int(
        pydicom.filereader.read_file_meta_info(tmp_path / "bomb.dcm").FileMetaInformationGroupLength
    )
    squeeze = zlib.compressobj(1, zlib.DEFLATED, -15)
    bomb = b"".join(squeeze.compress(bytes(1 << 22)) for _ in range(70)) + squeeze.flush()
    (tmp_path / "bomb.dcm").write_bytes(good[:start] + bomb)
    code = (
        "import sys, pathlib\n"
        "from vesalius.formats import dicom\n"
        "from vesalius.core.case import Ref\n"
        "from vesalius.core.errors import FormatError\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.dcm')):\n"
        "    for verb in (dicom.header, dicom.read):\n"
        "        try: verb(Ref((path,)))\n"
        "        except FormatError as error: print(path.stem)\n"
        f"print({PEAK})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    *refused, peak = done.stdout.split()
    assert Counter(refused) == {"bare": 2, "bomb": 2, "frames": 2, "packed": 2, "stream": 1}
    assert int(peak) < 1 << 20  # KiB


def test_more_elements_than_anyone_writes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parser, "MOST_ELEMENTS", 20)
    with pytest.raises(FormatError, match="more data elements"):
        dicom.read(Ref((saved(plane(0, "1.3"), tmp_path / "many.dcm"),)))


@pytest.mark.parametrize(
    ("uid", "code"),
    [
        ("1.2.840.10008.5.1.4.1.1.66.4", "SEG"),
        ("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT"),
        ("1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN"),
        ("1.2.840.10008.5.1.4.1.1.88.33", "SR"),
        ("1.2.840.10008.5.1.4.1.1.88.67", "SR"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "KO"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "PR"),
        ("1.2.840.10008.5.1.4.1.1.66.1", "REG"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "DOC"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "WAVEFORM"),
    ],
)
def test_what_is_no_image_is_named(tmp_path: Path, uid: str, code: str) -> None:
    data = plane(0, "1.3")
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = uid
    path = saved(data, tmp_path / "x.dcm")
    with pytest.raises(NotAnImage, match=f"x.dcm: holds no image but a .*{code}") as caught:
        dicom.read(Ref((path,)))
    assert caught.value.code == code and caught.value.holds


def test_files_without_preamble_are_read_whatever_their_encoding(tmp_path: Path) -> None:
    expected = dicom.read(Ref((saved(plane(0, "1.3"), tmp_path / "whole.dcm"),))).array
    for implicit, little in ((True, True), (False, True), (False, False)):
        buffer = io.BytesIO()
        data = plane(0, "1.3")
        if not little:
            data.PixelData = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()
            data["PixelData"].VR = "OW"
        del data.file_meta
        pydicom.dcmwrite(buffer, data, implicit_vr=implicit, little_endian=little)
        (tmp_path / "bare").write_bytes(buffer.getvalue())
        assert np.array_equal(dicom.read(Ref((tmp_path / "bare",))).array, expected), (implicit, little)


@pytest.mark.realdata
def test_every_file_of_the_zoo_is_an_image_a_named_object_or_a_typed_error(shared_data: Path) -> None:
    """In one process; what is no image is known by its name, and what SimpleITK and pydicom read is an image."""
    code = (
        "import collections, json, pathlib, sys, time\n"
        "sys.path[:0] = [sys.argv[2], str(pathlib.Path(sys.argv[2]).parent)]\n"
        "from test_dicom_hostile import outcome\n"
        "seen, slowest = collections.Counter(), 0.0\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).rglob('*')):\n"
        "    if path.is_file():\n"
        "        began = time.monotonic()\n"
        "        seen[outcome(path)] += 1\n"
        "        slowest = max(slowest, time.monotonic() - began)\n"
        f"print(json.dumps(seen), {PEAK}, slowest, sep='|')\n"
    )
    words = [sys.executable, "-c", code, str(shared_data / "dicom_zoo"), str(Path(__file__).parent)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    seen, peak, slowest = done.stdout.strip().split("|")
    counts = json.loads(seen)
    assert counts["image"] >= 165 and counts["SEG"] == 24 and counts["SR"] == 7 and counts["RTSTRUCT"] == 1, (
        counts
    )
    assert int(peak) < 1 << 20 and float(slowest) < patience(60)


@pytest.mark.realdata
def test_a_cut_jpeg_ls_stream_is_refused_at_once(shared_data: Path, tmp_path: Path) -> None:
    """CharLS looks for the missing bits for seconds."""
    data = pydicom.dcmread(next((shared_data / "dicom_zoo").rglob("JLSL_08_07_0_1F.dcm")))
    stream = next(pydicom.encaps.generate_frames(data.PixelData, number_of_frames=1))
    data.PixelData = pydicom.encaps.encapsulate([stream[:406]])
    began = time.process_time()
    with pytest.raises(FormatError, match="without its end"):
        dicom.read(Ref((saved(data, tmp_path / "cut.dcm"),)))
    assert time.process_time() - began < patience(1)


def test_no_decoder_s_panic_comes_out_of_damaged_run_lengths(tmp_path: Path) -> None:
    """The decoder that pydicom takes ends in a panic of Rust's on some of these, which is no Exception."""
    data = plane(0, "1.2.3")
    data.compress(RLELossless, generate_instance_uid=False)
    data.save_as(tmp_path / "r.dcm")
    good = (tmp_path / "r.dcm").read_bytes()
    start, generator = good.index(b"\xe0\x7f\x10\x00"), np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        bad = bytearray(good)
        for _ in range(int(generator.integers(1, 4))):
            bad[int(generator.integers(start + 20, len(bad) - 8))] = int(generator.integers(256))
        (tmp_path / "r.dcm").write_bytes(bad)
        try:
            formats.read(tmp_path / "r.dcm")
            seen.add("an image")
        except FormatError:
            seen.add("an error")
    assert seen == {"an image", "an error"}
