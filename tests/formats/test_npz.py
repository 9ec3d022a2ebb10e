"""npz and npy: members, items, colours, Fortran order; no unpickling, no false claims, the archive's CRC."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.core.image import Image, Source
from vesalius.formats import npz


@pytest.mark.parametrize("squeeze", [True, False])
def test_items_of_a_member(tmp_path: Path, squeeze: bool) -> None:
    path = tmp_path / "m.npz"
    arrays = {
        "grey": np.arange(7 * 28 * 30, dtype=np.uint8).reshape(7, 28, 30),
        "colour": np.arange(7 * 28 * 30 * 3).reshape(7, 28, 30, 3).astype(np.uint8),
        "solid": np.arange(4 * 9 * 8 * 7, dtype=np.float32).reshape(4, 9, 8, 7),
        "labels": np.zeros((7, 1), np.uint8),
    }
    (np.savez_compressed if squeeze else np.savez)(path, **arrays)
    assert {n: m.shape for n, m in npz.members(path).items()} == {n: a.shape for n, a in arrays.items()}
    grey = formats.read(Ref((path,), "grey", 5))
    assert np.array_equal(grey.array, arrays["grey"][5][None, None])
    colour = formats.read(Ref((path,), "colour", 6))
    assert np.array_equal(colour.array, arrays["colour"][6].transpose(2, 0, 1)[:, None])
    solid = formats.read(Ref((path,), "solid", 3))
    assert np.array_equal(solid.array, arrays["solid"][3][None])
    for member, index in (("grey", 5), ("colour", 6), ("solid", 3)):
        head, image = formats.header(Ref((path,), member, index)), formats.read(Ref((path,), member, index))
        assert (head.shape, head.channels, head.dtype) == (
            image.shape,
            len(image.array),
            image.array.dtype.name,
        )
        assert head.items == len(arrays[member])
    assert np.array_equal(npz.table(path, "labels"), arrays["labels"])


def test_a_read_item_is_the_reader_s_own(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", x=np.zeros((3, 4, 5), np.uint8))
    formats.read(Ref((tmp_path / "m.npz",), "x", 0)).array[:] = 9
    assert formats.read(Ref((tmp_path / "m.npz",), "x", 0)).array.max() == 0


def test_large_members_are_streamed_to_the_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(0).integers(0, 255, (6, 20, 20)).astype(">u2")
    np.savez_compressed(tmp_path / "m.npz", x=array)
    np.save(tmp_path / "m.npy", array)
    monkeypatch.setattr(npz, "_KEEP", 10)
    for ref in (Ref((tmp_path / "m.npz",), "x", 4), Ref((tmp_path / "m.npy",), None, 4)):
        image = formats.read(ref)
        assert np.array_equal(image.array[0, 0], array[4]) and image.array.dtype.isnative


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, x=np.zeros((3, 4, 5), np.uint8))
    assert formats.read(Ref((path,), "x", 1)).array.max() == 0
    np.savez(path, x=np.ones((4, 4, 5), np.uint8))
    assert formats.read(Ref((path,), "x", 1)).array.max() == 1


def test_what_cannot_be_named_is_said(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, images=np.zeros((3, 4, 5)), labels=np.zeros(3))
    with pytest.raises(FormatError, match=r"several arrays; found images, labels"):
        formats.read(path)
    with pytest.raises(FormatError, match="closest: images"):
        formats.read(Ref((path,), "image"))
    with pytest.raises(FormatError, match=r"no such item; found an array of shape \(3, 4, 5\)"):
        formats.read(Ref((path,), "images", 3))
    with pytest.raises(FormatError, match="not one picture"):
        formats.read(Ref((path,), "labels"))


def test_everything_known_of_an_image_comes_back(tmp_path: Path) -> None:
    image = Image(
        array=np.arange(48, dtype=np.float32).reshape(2, 3, 1, 2, 4),
        times_s=(0.0, 1.5),
        spacing_mm=(0.1, 0.2, 1.0),
        spacing_at="detector",
        unit="HU",
        modality="CT",
        channels=("a", "b", "c"),
    )
    back = formats.read(formats.write(image, tmp_path / "x.npz"))
    assert np.array_equal(back.array, image.array)
    for name in ("times_s", "spacing_mm", "spacing_at", "unit", "modality", "channels"):
        assert getattr(back, name) == getattr(image, name), name
    assert back.source == Source()
    assert formats.header(tmp_path / "x.npz").frames == 2


def test_fortran_order_and_plain_npy(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(60, dtype=np.int32).reshape(3, 4, 5))
    np.save(tmp_path / "f.npy", array)
    assert np.array_equal(formats.read(tmp_path / "f.npy").array[0], array)
    assert np.array_equal(formats.read(Ref((tmp_path / "f.npy",), None, 2)).array[0, 0], array[2])


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path(tmp_path / "sprung"),))  # type: ignore[return-value]

    bad = np.array([Trap(), None], object)
    np.savez(tmp_path / "p.npz", x=bad, allow_pickle=True)
    np.save(tmp_path / "p.npy", bad, allow_pickle=True)
    for path in (tmp_path / "p.npz", tmp_path / "p.npy"):
        with pytest.raises(FormatError, match="pickled"):
            formats.read(path)
    assert not (tmp_path / "sprung").exists()


def test_a_claim_beyond_the_bytes_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": (30000,) * 3}
    )
    (tmp_path / "c.npy").write_bytes(buffer.getvalue() + bytes(100))
    with zipfile.ZipFile(tmp_path / "c.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", buffer.getvalue() + bytes(100))
    for path in (tmp_path / "c.npy", tmp_path / "c.npz"):
        for what in (formats.read, formats.header):
            with pytest.raises(FormatError, match="claims"):
                what(path)


@pytest.mark.parametrize("shape", [(0, 4, 5), (3, 0, 5)])
def test_zero_sizes_and_text(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.savez(tmp_path / "z.npz", x=np.zeros(shape))
    with pytest.raises(FormatError, match="without pixels"):
        formats.read(tmp_path / "z.npz")
    np.save(tmp_path / "t.npy", np.array(["a", "b"]))
    with pytest.raises(FormatError, match="not pixels"):
        formats.read(tmp_path / "t.npy")


def test_a_flipped_bit_fails_the_archive_s_crc(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, x=np.random.default_rng(0).integers(0, 255, (4, 30, 30)).astype(np.uint8))
    raw = bytearray(path.read_bytes())
    raw[1500] ^= 4
    path.write_bytes(raw)
    for ref in (Ref((path,), "x"), Ref((path,), "x", 0)):
        with pytest.raises(FormatError, match="CRC"):
            formats.read(ref)
    path.write_bytes(raw[:2000])
    with pytest.raises(FormatError):
        formats.read(path)


@pytest.mark.realdata
def test_breastmnist(shared_data: Path) -> None:
    path = shared_data / "medmnist" / "breastmnist.npz"
    with np.load(path) as theirs:
        for index in (0, 100, 155):
            image = formats.read(Ref((path,), "test_images", index))
            assert np.array_equal(image.array[0, 0], theirs["test_images"][index])
        assert np.array_equal(npz.table(path, "val_labels"), theirs["val_labels"])


def test_items_with_channels_first_are_colours_and_a_last_axis_of_one_is_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "first": rng.integers(0, 255, (5, 3, 28, 30), dtype=np.uint8),
        "last": rng.integers(0, 255, (5, 28, 30, 3), dtype=np.uint8),
        "grey": rng.integers(0, 255, (5, 28, 30, 1), dtype=np.uint8),
        "volume": rng.integers(0, 255, (5, 8, 9, 10, 1), dtype=np.uint8),
        "colours": rng.integers(0, 255, (5, 3, 8, 9, 10), dtype=np.uint8),
        "thin": rng.integers(0, 255, (5, 3, 4, 4), dtype=np.uint8),
    }
    np.savez(tmp_path / "m.npz", **arrays)
    wanted = {
        "first": arrays["first"][2][:, None],
        "last": arrays["last"][2].transpose(2, 0, 1)[:, None],
        "grey": arrays["grey"][2][None, None, ..., 0],
        "volume": arrays["volume"][2][None, ..., 0],
        "colours": arrays["colours"][2],
        "thin": arrays["thin"][2][None],
    }
    for name, array in wanted.items():
        ref = Ref((tmp_path / "m.npz",), name, 2)
        image, head = formats.read(ref), formats.header(ref)
        assert np.array_equal(image.array, array), name
        assert (head.channels, *head.shape) == array.shape, name
    np.save(tmp_path / "slices.npy", arrays["first"][0])
    assert formats.read(tmp_path / "slices.npy").array.shape == (1, 3, 28, 30)
