"""NIfTI against nibabel and by hand: RAS to LPS, form codes, scaling, fourth axes, colours, damage, hostile claims."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from vesalius import formats
from vesalius.core.errors import FormatError
from vesalius.core.image import Image

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def saved(path: Path, array: np.ndarray, affine: np.ndarray | None = None, **fields: object) -> Path:
    image = nib.Nifti1Image(array, np.diag([2.0, 3.0, 4.0, 1.0]) if affine is None else affine)
    image.header.set_xyzt_units("mm")
    for name, value in fields.items():
        image.header[name] = value
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    for name, at in (("qform_code", 252), ("sform_code", 254)):  # nibabel sets them anew when it saves
        if name in fields:
            raw[at : at + 2] = int(fields[name]).to_bytes(2, "little")  # type: ignore[call-overload]
    path.write_bytes(raw)
    return path


def test_nibabel_s_arrays_and_affines(tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
    affine = np.array([[0, 2, 0, -5], [3, 0, 0, 6], [0, 0, -4, 7], [0, 0, 0, 1.0]])
    back = formats.read(saved(tmp_path / "x.nii.gz", array, affine))
    assert np.array_equal(back.array[0], array.T)  # (X, Y, Z) → (Z, Y, X)
    assert np.array_equal(back.affine, LPS @ affine)
    assert back.array.flags.c_contiguous


def test_what_is_written_nibabel_reads_with_both_codes_set(tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.int16).reshape(1, 3, 4, 5)
    affine = np.array([[0, 2, 0, -5], [3, 0, 0, 6], [0, 0, -4, 7], [0, 0, 0, 1.0]])
    image = nib.load(formats.write(Image(array=array, affine=affine), tmp_path / "x.nii.gz"))
    assert np.array_equal(np.asanyarray(image.dataobj), array[0].T)
    assert int(image.header["sform_code"]) == int(image.header["qform_code"]) == 1
    assert np.allclose(image.get_sform(), LPS @ affine) and np.allclose(image.get_qform(), LPS @ affine)
    assert image.header.get_xyzt_units()[0] == "mm"


def test_a_sheared_affine_is_kept_in_the_sform_alone(tmp_path: Path) -> None:
    sheared = np.array([[1, 0, 0.4, 0], [0, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1.0]])
    path = formats.write(Image(array=np.zeros((1, 3, 4, 5), np.uint8), affine=sheared), tmp_path / "x.nii")
    head = nib.load(path).header
    assert (int(head["sform_code"]), int(head["qform_code"])) == (1, 0)
    assert np.allclose(formats.read(path).affine, sheared)


def test_the_qform_counts_where_the_sform_has_no_code(tmp_path: Path) -> None:
    turned = np.array([[0, 2, 0, 1], [-3, 0, 0, 2], [0, 0, 4, 3], [0, 0, 0, 1.0]])
    path = saved(tmp_path / "x.nii", np.zeros((5, 4, 3), np.uint8), turned, sform_code=0, qform_code=2)
    raw = bytearray(path.read_bytes())
    raw[280:328] = np.full(12, 7, "<f4").tobytes()  # an sform that must not count
    path.write_bytes(raw)
    assert np.allclose(formats.read(path).affine, LPS @ turned, atol=1e-5)


def test_no_form_code_means_a_spacing_alone(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.nii", np.zeros((5, 4, 3), np.uint8), sform_code=0, qform_code=0)
    back = formats.read(path)
    assert back.affine is None and back.spacing_mm == (2.0, 3.0, 4.0)
    written = nib.load(formats.write(back, tmp_path / "y.nii")).header
    assert (int(written["sform_code"]), int(written["qform_code"])) == (0, 0)
    assert np.allclose(written.get_zooms(), (2, 3, 4))


@pytest.mark.parametrize(("unit", "factor"), [(1, 1000.0), (2, 1.0), (3, 0.001), (0, 1.0)])
def test_units_of_length_become_millimetres(tmp_path: Path, unit: int, factor: float) -> None:
    back = formats.read(saved(tmp_path / "x.nii", np.zeros((5, 4, 3), np.uint8), xyzt_units=unit))
    assert back.spacing_mm == pytest.approx((2 * factor, 3 * factor, 4 * factor))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_a_scaling_is_applied_as_nibabel_does(tmp_path: Path, dtype: str) -> None:
    array = np.arange(60).reshape(5, 4, 3).astype(dtype)
    path = saved(tmp_path / "x.nii", array)
    raw = bytearray(path.read_bytes())
    raw[112:120] = np.array([0.25, -7.5], "<f4").tobytes()  # scl_slope, scl_inter
    path.write_bytes(raw)
    back = formats.read(path)
    assert np.allclose(back.array[0], nib.load(path).get_fdata().T, rtol=1e-6)
    assert back.array.dtype == (np.float64 if dtype in ("int32", "float64") else np.float32)
    assert formats.header(path).dtype == back.array.dtype.name


def test_big_endian_files(tmp_path: Path) -> None:
    array = np.arange(60, dtype=">i2").reshape(5, 4, 3)
    head = nib.Nifti1Header(endianness=">")
    head.set_data_dtype(np.int16)
    image = nib.Nifti1Image(array, np.eye(4), head)
    nib.save(image, tmp_path / "b.nii.gz")
    assert nib.load(tmp_path / "b.nii.gz").header.endianness == ">"
    back = formats.read(tmp_path / "b.nii.gz")
    assert (
        back.array.dtype == np.int16 and back.array.dtype.isnative and np.array_equal(back.array[0], array.T)
    )


def test_nifti_2_and_header_extensions(tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.uint16).reshape(5, 4, 3)
    nib.save(nib.Nifti2Image(array, np.eye(4)), tmp_path / "two.nii.gz")
    assert np.array_equal(formats.read(tmp_path / "two.nii.gz").array[0], array.T)
    image = nib.Nifti1Image(array, np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a long comment" * 50))
    nib.save(image, tmp_path / "e.nii")
    assert np.array_equal(formats.read(tmp_path / "e.nii").array[0], array.T)
    bare = (tmp_path / "two.nii.gz").rename(tmp_path / "bare")
    bare.write_bytes(gzip.decompress(bare.read_bytes()))
    assert formats.sniff(bare) == "nifti"


def test_a_fourth_axis_is_channels_unless_the_header_times_it(tmp_path: Path) -> None:
    array = np.arange(120, dtype=np.int16).reshape(5, 4, 3, 2)
    channels = formats.read(saved(tmp_path / "c.nii", array))
    assert channels.times_s is None and np.array_equal(channels.array, array.transpose(3, 2, 1, 0))
    pixdim = np.array([1, 2, 3, 4, 2.5, 1, 1, 1], np.float32)
    path = saved(tmp_path / "t.nii", array, xyzt_units=2 | 8, pixdim=pixdim, toffset=1.0)
    times = formats.read(path)
    assert times.times_s == (1.0, 3.5) and times.array.shape == (2, 1, 3, 4, 5)
    assert np.array_equal(times.array[:, 0], array.transpose(3, 2, 1, 0))
    head = formats.header(path)
    assert (head.frames, head.channels, head.shape) == (2, 1, (3, 4, 5))


@pytest.mark.parametrize("channels", [1, 2])
def test_times_round_trip(tmp_path: Path, channels: int) -> None:
    array = np.arange(3 * channels * 24, dtype=np.float32).reshape(3, channels, 2, 3, 4)
    image = Image(array=array, times_s=(0.5, 2.5, 4.5), affine=np.eye(4))
    back = formats.read(formats.write(image, tmp_path / "t.nii.gz"))
    assert np.array_equal(back.array, array) and back.times_s == (0.5, 2.5, 4.5)


def test_colours(tmp_path: Path) -> None:
    rgb = np.zeros((5, 4, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["R"], rgb["G"], rgb["B"][4, 3, 2] = 10, 20, 30
    back = formats.read(saved(tmp_path / "rgb.nii.gz", rgb))
    assert back.array.shape == (3, 3, 4, 5) and back.channels == ("red", "green", "blue")
    assert back.array[:, 2, 3, 4].tolist() == [10, 20, 30]


def test_complex_pixels_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.nii", np.zeros((5, 4, 3), np.complex64))
    with pytest.raises(FormatError, match="complex"):
        formats.read(path)


# --- damage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("keep", [0.02, 0.3, 0.95, 0.999])
def test_truncated(tmp_path: Path, suffix: str, keep: float) -> None:
    array = np.random.default_rng(0).integers(0, 4000, (1, 10, 20, 30)).astype(np.int16)
    path = formats.write(Image(array=array), tmp_path / f"x{suffix}")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(FormatError, match="x.nii"):
        formats.read(path)


def test_one_flipped_bit_in_a_gzip_is_never_read_quietly(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 4000, (1, 6, 20, 30)).astype(np.int16)
    path = formats.write(Image(array=array), tmp_path / "x.nii.gz")
    good = path.read_bytes()
    for at in np.random.default_rng(1).integers(10, len(good), 60):
        bad = bytearray(good)
        bad[at] ^= 1 << int(at) % 8
        path.write_bytes(bad)
        with pytest.raises(FormatError):
            formats.read(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_header_that_claims_30000_cubed_is_refused_before_anything_is_allocated(
    tmp_path: Path, suffix: str
) -> None:
    raw = bytearray(
        formats.write(Image(array=np.zeros((1, 3, 4, 5), np.int16)), tmp_path / "x.nii").read_bytes()
    )
    raw[40:48] = np.array([3, 30000, 30000, 30000], "<i2").tobytes()
    path = tmp_path / f"bomb{suffix}"
    path.write_bytes(gzip.compress(raw) if suffix.endswith("gz") else raw)
    tracemalloc.start()
    with pytest.raises(FormatError, match="claims"):
        formats.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("dims", [[3, 0, 4, 5], [3, -1, 4, 5], [0, 5, 4, 3], [7, 1, 1, 1], [9, 5, 4, 3]])
def test_impossible_dimensions(tmp_path: Path, dims: list[int]) -> None:
    raw = bytearray(
        formats.write(Image(array=np.zeros((1, 3, 4, 5), np.int16)), tmp_path / "x.nii").read_bytes()
    )
    raw[40:48] = np.array(dims, "<i2").tobytes()
    (tmp_path / "x.nii").write_bytes(raw)
    for what in (formats.read, formats.header):
        with pytest.raises(FormatError, match="x.nii"):
            what(tmp_path / "x.nii")


def test_a_gzip_that_goes_on_after_the_pixels_is_cut_short(tmp_path: Path) -> None:
    raw = formats.write(Image(array=np.zeros((1, 3, 4, 5), np.int16)), tmp_path / "x.nii").read_bytes()
    with gzip.open(tmp_path / "long.nii.gz", "wb", 1) as stream:
        stream.write(raw)
        for _ in range(80):
            stream.write(bytes(1 << 20))
    with pytest.raises(FormatError, match="follow the pixels"):
        formats.read(tmp_path / "long.nii.gz")


def test_reading_takes_little_more_than_the_array(tmp_path: Path) -> None:
    array = np.zeros((1, 100, 256, 256), np.int16)
    path = formats.write(Image(array=array), tmp_path / "x.nii.gz")
    tracemalloc.start()
    formats.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * array.nbytes + 20e6


@pytest.mark.realdata
def test_hippocampus_float_and_integer_files_as_nibabel_reads_them(shared_data: Path) -> None:
    kinds = set()
    for path in sorted((shared_data / "hippocampus").glob("*Tr/*.nii.gz"))[::25]:
        theirs, ours = nib.load(path), formats.read(path)
        assert np.allclose(ours.array[0], theirs.get_fdata().T, rtol=1e-6), path.name
        assert np.allclose(ours.affine, LPS @ theirs.affine), path.name
        head = formats.header(path)
        assert (head.shape, head.dtype) == (ours.shape, ours.array.dtype.name)
        kinds.add(ours.array.dtype.kind)
        if "labels" in str(path):
            mask = formats.read_mask(path)
            assert mask.array.dtype == np.uint8 and set(np.unique(mask.array)) == {0, 1, 2}
    assert kinds == {"f", "u"}
