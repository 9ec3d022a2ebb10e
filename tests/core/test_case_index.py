"""An index: distances against scipy's, a round trip bit for bit, and what does not belong is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from vesalius.core.case import Ref
from vesalius.core.errors import BundleError
from vesalius.core.index import Entry, Index
from vesalius.core.index_file import open_index, save_index


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
