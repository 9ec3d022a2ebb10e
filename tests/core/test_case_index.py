"""An index: distances against scipy's, a round trip bit for bit, and what does not belong is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save
from scipy.spatial.distance import cdist

from vesalius.core import index_file
from vesalius.core.case import Ref
from vesalius.core.errors import BundleError
from vesalius.core.index import Entry, Index
from vesalius.core.index_file import open_index, save_index
from vesalius.core.sealed import write_sealed


def made(n: int = 12, *, seed: int = 0) -> Index:
    rng = np.random.default_rng(seed)
    ref = Ref((Path("/data/a.npz"),), member="train_images", index=3, part="echo 2")
    entries = tuple(Entry(f"case {k}", "yes" if k % 2 else "no", ref, ("ab", "cd")) for k in range(n))
    vectors = rng.normal(5, 1, (n, 7)).astype(np.float32)
    return Index("b" * 64, "d" * 64, "a map", vectors, entries, {"n": 3, "nearest": {"value": 0.1}})


def test_distances_are_scipys_on_centred_vectors() -> None:
    index = made()
    query = np.random.default_rng(1).normal(5, 1, 7)
    mean = index.vectors.astype(np.float64).mean(axis=0)
    expected = cdist(index.vectors - mean, (query - mean)[None], "cosine")[:, 0]
    assert np.allclose(index.distances(query), expected, atol=1e-12)
    found = index.nearest(query, 4)
    assert [e.case for e, _ in found] == [f"case {k}" for k in np.argsort(expected)[:4]]
    assert [far for _, far in found] == pytest.approx(sorted(expected)[:4])


def test_a_case_is_nearest_to_itself_and_equals_come_in_order() -> None:
    index = made()
    (own, far), *_ = index.nearest(index.vectors[5], 2)
    assert own.case == "case 5" and far == pytest.approx(0, abs=1e-12)
    same = Index(
        "b", "d", "", np.ones((3, 4), np.float32), index.entries[:3]
    )  # all are the mean: nothing tells them
    assert [e.case for e, _ in same.nearest(np.ones(4), 3)] == ["case 0", "case 1", "case 2"]
    assert np.allclose(same.distances(np.ones(4)), 1)


def test_an_index_comes_back_bit_for_bit_and_another_takes_its_place(tmp_path: Path) -> None:
    save_index(made(seed=4), tmp_path / "i")
    index = made()
    save_index(index, tmp_path / "i")
    back = open_index(tmp_path / "i", bundle=index.bundle)
    assert np.array_equal(back.vectors, index.vectors) and back.entries == index.entries
    assert (back.bundle, back.data_hash, back.made_of) == (index.bundle, index.data_hash, index.made_of)
    assert back.measured == index.measured and back.entries[0].image.part == "echo 2"  # type: ignore[union-attr]


def test_what_does_not_belong_is_refused(tmp_path: Path) -> None:
    index = made()
    with pytest.raises(BundleError, match="no index at"):
        open_index(tmp_path / "i")
    save_index(index, tmp_path / "i")
    with pytest.raises(BundleError, match="is of another bundle"):
        open_index(tmp_path / "i", bundle="c" * 64)
    file = tmp_path / "i" / "vectors-00000.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(BundleError, match="damaged or was changed"):
        open_index(tmp_path / "i")
    (tmp_path / "i" / "MANIFEST.sha256").unlink()
    with pytest.raises(BundleError, match="is not an index"):
        open_index(tmp_path / "i")


def test_one_changed_bit_of_any_file_is_refused(tmp_path: Path) -> None:
    save_index(made(), tmp_path / "i")
    for file in sorted((tmp_path / "i").iterdir()):
        whole = file.read_bytes()
        file.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        with pytest.raises(BundleError):
            open_index(tmp_path / "i")
        file.write_bytes(whole)
    assert len(open_index(tmp_path / "i").entries) == 12


@pytest.mark.parametrize("stopped", range(5))
def test_a_crash_leaves_the_old_index_or_the_new(
    tmp_path: Path, stopped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new state is put in place file by file; wherever that stops, one of the two is read, and then written over."""
    save_index(made(seed=4), tmp_path / "i")
    put, times = index_file._put, iter(range(9))

    def stops(source: Path, target: Path) -> None:
        if next(times) == stopped:
            raise KeyboardInterrupt
        put(source, target)

    monkeypatch.setattr(index_file, "_put", stops)
    if stopped < 4:  # two files of the only part, the head and the manifest
        with pytest.raises(KeyboardInterrupt):
            save_index(made(20), tmp_path / "i")
    else:
        save_index(made(20), tmp_path / "i")
    monkeypatch.undo()
    assert np.array_equal(open_index(tmp_path / "i").vectors, made(20).vectors)
    save_index(made(5), tmp_path / "i")
    assert len(open_index(tmp_path / "i").entries) == 5
    assert not (tmp_path / "i" / "next").exists()


def test_a_crash_before_the_new_state_is_sealed_leaves_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_index(made(seed=4), tmp_path / "i")

    def stops(*args: object, **told: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(index_file, "write_sealed", stops)
    with pytest.raises(KeyboardInterrupt):
        save_index(made(20), tmp_path / "i")
    assert np.array_equal(open_index(tmp_path / "i").vectors, made(seed=4).vectors)


def test_an_index_of_the_version_before_is_read_and_says_what_it_lacks(tmp_path: Path) -> None:
    index = made()
    head = {"bundle": index.bundle, "data_hash": index.data_hash, "made_of": index.made_of, "measured": {}}
    cases = [{"case": e.case, "target": e.target, "marks": list(e.marks)} for e in index.entries]
    (tmp_path / "i").mkdir()
    kind = replace(index_file.INDEX, version=2)
    write_sealed(
        tmp_path / "i",
        kind,
        {**head, "cases": cases},
        {"vectors.safetensors": save({"vectors": index.vectors})},
    )
    back = open_index(tmp_path / "i")
    assert np.array_equal(back.vectors, index.vectors) and not back.told and back.tiles == "middle"
    assert [e.case for e in back.entries] == [e.case for e in index.entries]


def test_parts_come_back_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_file, "ROWS", 5)
    index = made()
    save_index(index, tmp_path / "i")
    assert len(list((tmp_path / "i").glob("vectors-*"))) == 3
    back = open_index(tmp_path / "i")
    assert np.array_equal(back.vectors, index.vectors) and back.entries == index.entries
