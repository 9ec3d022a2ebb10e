"""Files within zips: read in place; odd names, bombs and broken archives refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from vesalius.core import archive
from vesalius.core.errors import FormatError


def test_members_are_read_in_place(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x/one.bin", b"1" * 1000)
        file.writestr(".hidden", b"")
    assert archive.is_archive(path) and archive.members(path) == (path / "x" / "one.bin",)
    inside = path / "x" / "one.bin"
    assert (
        archive.exists(inside) and archive.size(inside) == 1000 and not archive.exists(path / "x" / "two.bin")
    )
    with archive.open_file(inside) as file:
        assert file.read() == b"1" * 1000
    plain = tmp_path / "plain"
    plain.write_bytes(b"1" * 1000)
    assert archive.sha256(inside) == archive.sha256(plain)


def test_backslashes_of_windows_are_slashes(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("day1\\P03.png", b"one")
        file.writestr("day2\\P03.png", b"two")
    found = archive.members(path)
    assert found == (path / "day1" / "P03.png", path / "day2" / "P03.png")
    assert [archive.open_file(p).read() for p in found] == [b"one", b"two"]
    assert [archive.size(p) for p in found] == [3, 3] and all(map(archive.exists, found))


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../../up", "c:\\x", "..\\up"])
def test_names_that_point_elsewhere_are_left_out(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, b"x")
        file.writestr("good", b"x")
    assert archive.members(path) == (path / "good",)


def test_broken_ones_are_one_error(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(FormatError, match="not a zip that can be read"):
        archive.members(path)
    assert not archive.exists(path / "x")
    other = tmp_path / "b.zip"
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x", bytes(10_000))
    raw = bytearray(other.read_bytes())
    at = raw.index(b"PK\x01\x02")
    raw[at + 24 : at + 28] = (1 << 31).to_bytes(4, "little")  # the uncompressed size that it claims
    other.write_bytes(bytes(raw))
    with pytest.raises(FormatError, match="claims too much"):
        archive.size(other / "x")
