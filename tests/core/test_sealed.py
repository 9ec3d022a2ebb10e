"""Sealed folders: a second kind beside bundles, read by name, whole or not at all, never one kind for another."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from vesalius.core.bundle import BUNDLE, Bundle, open_bundle
from vesalius.core.errors import BundleError, OutputError
from vesalius.core.sealed import MANIFEST, Kind, open_sealed, seal, write_sealed

INDEX = Kind("index", 2, source="the folder that made-up `build` wrote")


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "index"
    path.mkdir()
    files = {"rows.safetensors": save({"e": np.eye(2, dtype=np.float16)}), "names.json": '["a", "b"]\n'}
    write_sealed(path, INDEX, {"made_by": "a test", "rows": 2}, files)
    return path


def test_another_kind_opens_as_it_was_written(index: Path) -> None:
    found = open_sealed(index, INDEX)
    assert found.head == {"version": 2, "made_by": "a test", "rows": 2}
    assert found.json("names.json") == ["a", "b"]
    assert np.array_equal(found.arrays("rows.safetensors")["e"], np.eye(2))
    assert found.arrays("others.safetensors") == {}
    assert found.files == {"index.json", "names.json", "rows.safetensors"}
    assert (index / MANIFEST).read_text().startswith("# kind: index\n")


def test_no_kind_is_read_as_another(index: Path, sealed: Bundle) -> None:
    with pytest.raises(BundleError, match="is not a bundle; found a folder of kind 'index'"):
        open_sealed(index, BUNDLE)
    with pytest.raises(BundleError, match="is not an index; found a folder of kind 'bundle'"):
        open_sealed(sealed.path, INDEX)
    marked = (index / MANIFEST).read_text()
    (index / MANIFEST).write_text(marked.partition("\n")[2])
    with pytest.raises(BundleError):
        open_sealed(index, INDEX)


def test_what_the_manifest_does_not_list_cannot_be_read(index: Path) -> None:
    (index / "planted.json").write_text("{}")
    (index / "planted.safetensors").write_bytes(b"")
    found = open_sealed(index, INDEX)
    for read in (found.place, found.json):
        for name in ("planted.json", "../index/names.json", MANIFEST):
            with pytest.raises(BundleError, match="damaged index"):
                read(name)
    with pytest.raises(BundleError, match=r"planted\.safetensors"):
        found.arrays("planted.safetensors")


def test_what_is_written_again_leaves_nothing_of_before(index: Path) -> None:
    before = open_sealed(index, INDEX).hash
    write_sealed(index, INDEX, {"rows": 2}, {"new.json": "1"}, kept=("rows.safetensors",))
    assert open_sealed(index, INDEX).files == {"index.json", "new.json", "rows.safetensors"}
    assert open_sealed(index, INDEX).hash != before


def test_a_newer_one_and_a_changed_one_are_refused_in_words(index: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is an index of version 2, newer than this Vesalius reads"):
        open_sealed(index, Kind("index", 1, source="…"))
    (index / "names.json").write_text('["a", "c"]\n')
    with pytest.raises(BundleError, match=r"another SHA-256 for 'names\.json'"):
        open_sealed(index, INDEX)
    with pytest.raises(BundleError, match="no index at"):
        open_sealed(tmp_path / "nowhere", INDEX)


def test_without_its_manifest_it_is_none(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **others: object) -> None:
        raise OutputError("no space left")

    monkeypatch.setattr("vesalius.core.sealed.seal", full)
    with pytest.raises(OutputError):
        write_sealed(index, INDEX, {}, {})
    with pytest.raises(BundleError, match=rf"is not an index; found no {MANIFEST}"):
        open_sealed(index, INDEX)


def test_the_manifest_of_a_bundle_is_as_it_was_and_sha256sum_reads_every_kind(
    index: Path, sealed: Bundle
) -> None:
    before = (sealed.path / MANIFEST).read_text()
    assert not before.startswith("#")
    seal(sealed.path)
    assert (sealed.path / MANIFEST).read_text() == before and open_bundle(sealed.path).hash == sealed.hash
    if shutil.which("sha256sum") is None:
        return
    for folder in (index, sealed.path):
        done = subprocess.run(["sha256sum", "--check", "--strict", MANIFEST], cwd=folder, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
