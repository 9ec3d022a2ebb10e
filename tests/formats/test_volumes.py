"""NIfTI, MetaImage, NRRD and npz: round trips of every type, channel count and geometry, and against SimpleITK."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from vesalius import formats
from vesalius.core.errors import FormatError
from vesalius.core.image import Array, Image

VOLUMES = (".nii", ".nii.gz", ".mha", ".nrrd", ".npz")
TYPES = ("uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")


def oblique() -> Array:
    """A rotation of three angles, spacing 0.7 × 0.8 × 2.5 mm, an origin: made by hand, right-handed."""
    a, b, c = 0.3, -0.5, 1.1
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = about_x @ about_y @ about_z @ np.diag([0.7, 0.8, 2.5])
    affine[:3, 3] = [10.5, -20.25, 300]
    return affine


def volume(dtype: str, channels: int = 1, planes: int = 3) -> Array:
    generator = np.random.default_rng(7)
    return generator.integers(0, 120, (channels, planes, 4, 5)).astype(dtype)


def geometry(image: sitk.Image) -> Array:
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return affine


@pytest.mark.parametrize("suffix", VOLUMES)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("planes", [1, 3])
def test_every_type_comes_back_bit_for_bit(tmp_path: Path, suffix: str, dtype: str, planes: int) -> None:
    image = Image(array=volume(dtype, planes=planes), affine=oblique())
    path = formats.write(image, tmp_path / f"x{suffix}")
    back, head = formats.read(path), formats.header(path)
    assert back.array.dtype == image.array.dtype and back.array.dtype.isnative
    assert np.array_equal(back.array, image.array)
    assert np.allclose(back.affine, oblique(), atol=1e-4) and np.array_equal(head.affine, back.affine)
    assert (head.shape, head.dtype, head.channels) == (image.shape, dtype, 1)
    assert head.spacing_mm == pytest.approx((0.7, 0.8, 2.5), rel=1e-6)


@pytest.mark.parametrize("suffix", VOLUMES)
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("known", ["affine", "spacing", "nothing"])
def test_the_three_states_of_geometry_survive(tmp_path: Path, suffix: str, channels: int, known: str) -> None:
    image = Image(
        array=volume("int16", channels),
        affine=oblique() if known == "affine" else None,
        spacing_mm=(0.5, 0.75, 2.0) if known == "spacing" else None,
    )
    back = formats.read(formats.write(image, tmp_path / f"x{suffix}"))
    assert np.array_equal(back.array, image.array)
    assert (back.affine is None) == (known != "affine")
    assert (back.spacing_mm is None) == (known == "nothing")
    if known == "spacing":
        assert back.spacing_mm == (0.5, 0.75, 2.0) and back.spacing_at == "patient"


@pytest.mark.parametrize("suffix", VOLUMES)
def test_bits_become_bytes_and_non_contiguous_arrays_are_written_right(tmp_path: Path, suffix: str) -> None:
    bits = volume("uint8") > 60
    back = formats.read(formats.write(Image(array=bits), tmp_path / f"b{suffix}"))
    assert back.array.dtype == np.uint8 and np.array_equal(back.array, bits)
    turned = volume("int16").transpose(0, 3, 2, 1)[:, ::-1]
    assert np.array_equal(
        formats.read(formats.write(Image(array=turned), tmp_path / f"t{suffix}")).array, turned
    )


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".nrrd"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_simpleitk_reads_what_is_written_and_is_read(tmp_path: Path, suffix: str, dtype: str) -> None:
    array = volume(dtype)
    path = formats.write(Image(array=array, affine=oblique()), tmp_path / f"x{suffix}")
    theirs = sitk.ReadImage(str(path))
    assert np.array_equal(sitk.GetArrayFromImage(theirs), array[0])
    assert np.allclose(geometry(theirs), oblique(), atol=1e-4)
    for compress in (False, True):
        sitk.WriteImage(theirs, str(tmp_path / f"s{suffix}"), compress)
        back = formats.read(tmp_path / f"s{suffix}")
        assert np.array_equal(back.array, array) and back.array.dtype == array.dtype
        assert np.allclose(back.affine, oblique(), atol=1e-4)


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
def test_simpleitk_s_vector_images_become_channels(tmp_path: Path, suffix: str) -> None:
    array = volume("uint8", 3)
    theirs = sitk.GetImageFromArray(np.moveaxis(array, 0, -1), isVector=True)
    sitk.WriteImage(theirs, str(tmp_path / f"v{suffix}"))
    assert np.array_equal(formats.read(tmp_path / f"v{suffix}").array, array)


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_simpleitk_s_planes_have_a_spacing_alone(tmp_path: Path, suffix: str) -> None:
    theirs = sitk.GetImageFromArray(volume("int16")[0, 0])
    theirs.SetSpacing((0.5, 0.25))
    sitk.WriteImage(theirs, str(tmp_path / f"p{suffix}"))
    back = formats.read(tmp_path / f"p{suffix}")
    assert back.array.shape == (1, 1, 4, 5) and np.array_equal(back.array[0, 0], volume("int16")[0, 0])
    assert back.affine is None and back.spacing_mm == (0.5, 0.25, 1.0)


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_headers_with_their_data_beside_them_are_read(tmp_path: Path, suffix: str) -> None:
    theirs = sitk.GetImageFromArray(volume("int16")[0])
    sitk.WriteImage(theirs, str(tmp_path / f"h{suffix}"))
    assert np.array_equal(formats.read(tmp_path / f"h{suffix}").array, volume("int16"))
    data = next(p for p in tmp_path.iterdir() if p.suffix != suffix)
    text = (tmp_path / f"h{suffix}").read_text().replace(data.name, f"../{tmp_path.name}/{data.name}")
    (tmp_path / f"h{suffix}").write_text(text)
    with pytest.raises(FormatError, match="elsewhere"):
        formats.read(tmp_path / f"h{suffix}")


def test_big_endian_metaimage_by_hand(tmp_path: Path) -> None:
    array = volume("int16")[0]
    text = "ObjectType = Image\nNDims = 3\nBinaryDataByteOrderMSB = True\nDimSize = 5 4 3\nElementSpacing = 1 2 3\n"
    text += "TransformMatrix = 0 1 0 -1 0 0 0 0 1\nOffset = 7 8 9\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    (tmp_path / "b.mha").write_bytes(text.encode() + array.astype(">i2").tobytes())
    back = formats.read(tmp_path / "b.mha")
    assert np.array_equal(back.array[0], array)
    # x steps 1 mm along +y, y steps 2 mm along -x, z 3 mm along z
    assert back.affine.tolist() == [[0, -2, 0, 7], [1, 0, 0, 8], [0, 0, 3, 9], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("space", "signs"), [("RAS", (-1, -1, 1)), ("LPS", (1, 1, 1)), ("left-anterior-superior", (1, -1, 1))]
)
def test_nrrd_spaces_become_lps(tmp_path: Path, space: str, signs: tuple[int, int, int]) -> None:
    text = (
        f"NRRD0004\ntype: uchar\ndimension: 3\nspace: {space}\nsizes: 5 4 3\nendian: little\nencoding: raw\n"
    )
    text += "space directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (10,20,30)\n\n"
    (tmp_path / "s.nrrd").write_bytes(text.encode() + bytes(range(60)))
    back = formats.read(tmp_path / "s.nrrd")
    assert np.array_equal(
        back.affine, np.diag([*signs, 1]) @ [[1, 0, 0, 10], [0, 2, 0, 20], [0, 0, 3, 30], [0, 0, 0, 1]]
    )
    assert back.array[0, 2, 3, 4] == 59


def test_an_unnamed_nrrd_space_gives_spacing_alone_and_an_unnamed_axis_is_refused(tmp_path: Path) -> None:
    text = "NRRD0004\ntype: uchar\ndimension: 3\nspace dimension: 3\nsizes: 5 4 3\nencoding: raw\n"
    text += "space directions: (0,1,0) (0,0,2) (3,0,0)\n\n"
    (tmp_path / "s.nrrd").write_bytes(text.encode() + bytes(60))
    back = formats.read(tmp_path / "s.nrrd")
    assert back.affine is None and back.spacing_mm == (1.0, 2.0, 3.0)
    (tmp_path / "u.nrrd").write_bytes(
        b"NRRD0004\ntype: uchar\ndimension: 4\nsizes: 3 5 4 2\nencoding: raw\n\n" + bytes(120)
    )
    with pytest.raises(FormatError, match="which axis is not spatial"):
        formats.read(tmp_path / "u.nrrd")
