"""The formats' contract: names by suffix and content, labels, atomic writing, errors that name the file."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vesalius import formats
from vesalius.core import file_io
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.value import Value
from vesalius.core.case import Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import FormatError, GeometryError, OutputError
from vesalius.core.image import Image
from vesalius.formats import nifti


def plane(dtype: str = "uint8") -> Image:
    return Image(array=np.arange(30, dtype=dtype).reshape(1, 1, 5, 6))


@pytest.mark.parametrize(
    ("name", "kind", "stem"),
    [
        ("scan.nii.gz", "nifti", "scan"),
        ("SCAN.NII", "nifti", "SCAN"),
        ("a.b.png", "picture", "a.b"),
        ("case (3).TIFF", "picture", "case (3)"),
        ("x.npz", "npz", "x"),
        ("x.mha", "mha", "x"),
        ("x.nrrd", "nrrd", "x"),
        ("IM1.dcm", "dicom", "IM1"),
        ("a.json", "json", "a"),
    ],
)
def test_a_suffix_names_the_format_without_opening(name: str, kind: str, stem: str) -> None:
    assert formats.sniff(Path("nowhere") / name) == kind
    assert formats.stem(name) == stem


def test_longer_suffixes_come_first_and_answers_are_not_images() -> None:
    suffixes = formats.known_suffixes()
    assert suffixes.index(".nii.gz") < suffixes.index(".nii")
    assert [len(s) for s in suffixes] == sorted((len(s) for s in suffixes), reverse=True)
    assert ".json" not in suffixes and ".json" in formats.known_suffixes(holds=None)


def test_content_names_the_format_where_the_suffix_does_not(tmp_path: Path) -> None:
    for suffix in (".png", ".nii", ".nrrd", ".mha", ".npy", ".tif", ".gif"):
        written = formats.write(plane(), tmp_path / f"x{suffix}")
        bare = written.rename(tmp_path / f"bare-{suffix[1:]}")
        assert formats.sniff(bare) == formats.sniff(written), suffix
        assert np.array_equal(formats.read(bare).array, plane().array), suffix


def test_an_unknown_file_is_refused_with_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(FormatError, match=r"notes\.txt.*\.nii\.gz"):
        formats.sniff(tmp_path / "notes.txt")
    with pytest.raises(FormatError, match="no such file"):
        formats.read(tmp_path / "absent.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(FormatError, match="not a file"):
        formats.read(tmp_path / "folder.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(FormatError, match="empty"):
        formats.read(tmp_path / "empty.png")


@pytest.mark.parametrize(
    "suffix", [".nii", ".nii.gz", ".npz", ".npy", ".mha", ".nrrd", ".png", ".tif", ".dcm", ".gif"]
)
def test_a_wrong_suffix_is_one_typed_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"liar{suffix}"
    path.write_bytes(b"this is no image at all, it is a sentence" * 20)
    for what in (formats.read, formats.header, formats.read_mask):
        with pytest.raises(FormatError, match="liar") as caught:
            what(path)
        assert "\n" not in str(caught.value)


def test_importing_formats_loads_no_decoder_and_no_torch() -> None:
    code = (
        "import sys; from vesalius import formats; formats.known_suffixes(); formats.sniff('a.nii.gz');"
        "print([m for m in ('torch', 'nibabel', 'pydicom', 'PIL', 'nrrd') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- labels -------------------------------------------------------------------------------------------------


def test_float_labels_become_the_smallest_whole_type(tmp_path: Path) -> None:
    array = np.zeros((1, 3, 4, 5), np.float64)
    array[0, 1, 2, 3], array[0, 0] = 300, 2
    path = formats.write(Image(array=array), tmp_path / "m.nii.gz")
    mask = formats.read_mask(path)
    assert mask.array.dtype == np.uint16 and np.array_equal(mask.array, array)
    negative = formats.read_mask(formats.write(Image(array=-array), tmp_path / "n.nii.gz"))
    assert negative.array.dtype == np.int16 and np.array_equal(negative.array, -array)


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, 1e12])
def test_labels_that_are_not_whole_are_refused_and_pixels_are_not(tmp_path: Path, value: float) -> None:
    array = np.zeros((1, 2, 3, 4), np.float32)
    array[0, 1, 1, 1] = value
    path = formats.write(Image(array=array), tmp_path / "m.nii")
    assert np.array_equal(formats.read(path).array, array, equal_nan=True)
    with pytest.raises(FormatError, match=r"m\.nii"):
        formats.read_mask(path)


def test_equal_channels_are_one_and_colours_are_packed(tmp_path: Path) -> None:
    grey = np.repeat(plane().array, 3, axis=0)
    assert np.array_equal(
        formats.read_mask(formats.write(Image(array=grey), tmp_path / "g.png")).array, grey[:1]
    )
    colour = np.zeros((3, 1, 2, 2), np.uint8)
    colour[:, 0, 0, 1], colour[:, 0, 1, 1] = (255, 0, 0), (0, 128, 7)
    mask = formats.read_mask(formats.write(Image(array=colour), tmp_path / "c.png"))
    assert mask.array.tolist() == [[[[0, 0xFF0000], [0, 0x008007]]]]
    two = Image(array=np.zeros((2, 3, 4, 5), np.uint8))
    with pytest.raises(FormatError, match="one channel"):
        formats.read_mask(formats.write(two, tmp_path / "two.nii.gz"))


# --- writing ------------------------------------------------------------------------------------------------


def test_a_mask_without_geometry_takes_its_source_s(tmp_path: Path) -> None:
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    source = Image(array=np.zeros((1, 2, 5, 6)), affine=affine)
    mask = Mask(image=Image(array=np.ones((1, 2, 5, 6), np.int64)), labels=(Label(1, "organ"),))
    back = formats.read(formats.write(mask, tmp_path / "m.nii.gz", source=source))
    assert np.allclose(back.affine, affine) and back.array.dtype == np.uint8
    with pytest.raises(GeometryError, match="different shapes"):
        formats.write(mask, tmp_path / "n.nii.gz", source=plane())
    assert not (tmp_path / "n.nii.gz").exists()


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (plane(), "a.json"),
        (plane(), "a.dcm"),
        (plane(), "a.xyz"),
        (Value(x=1.0), "a.png"),
        (Scores(labels=(), p=np.zeros(0)), "a.nii.gz"),
        (Mask(image=plane(), labels=()), "a.jpg"),
        (Image(array=np.zeros((1, 4, 5, 6), np.uint8)), "a.png"),
        (Image(array=np.zeros((2, 1, 5, 6), np.uint8)), "a.png"),
        (Image(array=np.full((1, 1, 5, 6), -1)), "a.png"),
        (Image(array=np.zeros((1, 1, 5, 6), np.float32)), "a.png"),
        (Image(array=np.zeros((2, 1, 1, 5, 6)), times_s=(0.0, 1.0)), "a.mha"),
        (Image(array=np.zeros((2, 1, 1, 5, 6)), times_s=(0.0, 1.0)), "a.nrrd"),
        (Image(array=np.zeros((3, 1, 1, 5, 6)), times_s=(0.0, 1.0, 5.0)), "a.nii"),
        (Image(array=np.zeros((1, 1, 5, 6), np.complex64)), "a.mha"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_and_nothing_is_left(
    tmp_path: Path, thing: object, name: str
) -> None:
    with pytest.raises(OutputError, match=r"a\.\w+"):
        formats.write(thing, tmp_path / name)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".nii.gz", ".npz", ".mha", ".nrrd", ".png", ".tif"])
def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = formats.write(plane(), tmp_path / f"x{suffix}")
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        formats.write(Image(array=plane().array + 1), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_missing_or_unwritable_folder_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"):
        formats.write(plane(), tmp_path / "no" / "x.png")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        formats.write(plane(), tmp_path / "file" / "x.png")
    (tmp_path / "d.png").mkdir()
    with pytest.raises(OutputError, match="folder"):
        formats.write(plane(), tmp_path / "d.png")


def test_a_crash_inside_the_writer_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), file_io.atomic(tmp_path / "x.bin") as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_reader_s_own_bug_in_types_still_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = formats.write(plane(), tmp_path / "x.nii")

    def broken(ref: Ref) -> Image:
        raise GeometryError("an affine that cannot be")

    monkeypatch.setattr(nifti, "read", broken)
    with pytest.raises(FormatError, match=r"x\.nii.*affine that cannot be"):
        formats.read(path)
