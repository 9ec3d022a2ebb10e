"""Searching by a graph against the exact answer: recall, ties, cases left out, conditions, and one bit that changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from vesalius.core.errors import BundleError, DataError
from vesalius.core.index import Entry, Index
from vesalius.core.index_file import GRAPH, open_index, save_index
from vesalius.retrieve.graph import Graph
from vesalius.retrieve.search import Without, searched, whose
from vesalius.retrieve.ways import way_of, with_way


def made(n: int = 900, f: int = 12, *, seed: int = 0) -> Index:
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 1, (12, f))
    vectors = (centres[rng.integers(0, 12, n)] + rng.normal(0, 0.6, (n, f)) + 4).astype(np.float32)
    vectors[500] = vectors[40]  # a tie
    entries = tuple(
        Entry(f"c{k}", patient=f"p{k // 3}" if k % 10 else None, marks=(f"m{k}",)) for k in range(n)
    )
    return Index("b" * 64, "d" * 64, "vectors", vectors, entries)


@pytest.fixture(scope="module")
def graphed() -> Index:
    return with_way(made(), many=800)


def exactly(index: Index, query: np.ndarray, out: set[int] | None = None) -> list[int]:
    mean = index.vectors.astype(np.float64).mean(axis=0)
    far = cdist(index.vectors - mean, (query - mean)[None], "cosine")[:, 0]
    return [int(k) for k in np.lexsort((np.arange(len(far)), far.round(12))) if int(k) not in (out or set())]


def test_few_cases_are_compared_and_many_have_a_graph_whose_recall_is_told(graphed: Index) -> None:
    assert with_way(made(), many=1000).search["way"] == "exact"
    assert graphed.search["way"] == "graph" and graphed.graph is not None
    assert 0.95 <= graphed.search["recall"] <= 1 and "of 200 cases" in graphed.search["why"]
    assert with_way(made(), many=800).graph == graphed.graph  # the same cases, the same bytes


def test_a_graph_finds_what_comparing_every_case_finds(graphed: Index) -> None:
    way = way_of(graphed)
    rng = np.random.default_rng(5)
    same = 0
    for _ in range(20):
        query = rng.normal(4, 1.2, 12)
        hits = searched(graphed, query, count=10, way=way)
        exact = searched(graphed, query, count=10, way=way_of(graphed, exact=True))
        assert exact.places.tolist() == exactly(graphed, query)[:10] and exact.exact and not hits.exact
        assert (np.diff(hits.distances) >= 0).all()
        same += len(set(hits.places.tolist()) & set(exact.places.tolist()))
    assert same >= 0.95 * 200


def test_equal_vectors_stand_in_the_order_of_their_cases(graphed: Index) -> None:
    for exact in (False, True):
        hits = searched(graphed, graphed.vectors[500], count=2, way=way_of(graphed, exact=exact))
        assert hits.places.tolist() == [40, 500] and hits.distances[0] == hits.distances[1]


def test_conditions_and_cases_left_out_never_leave_fewer_than_there_are(graphed: Index) -> None:
    way, query = way_of(graphed), graphed.vectors[0]
    among = np.array([3, 700, 12, 450])
    hits = searched(graphed, query, count=3, way=way, among=among, out={12})
    truth = [k for k in exactly(graphed, query) if k in {3, 700, 450}]
    assert hits.places.tolist() == truth and hits.exact
    out = set(exactly(graphed, query)[:600])  # the 600 nearest are all of them left out
    hits = searched(graphed, query, count=10, way=way, out=out)
    assert len(hits.places) == 10 and not out & set(hits.places.tolist())
    with pytest.raises(DataError, match="left out"):
        searched(graphed, query, count=1, way=way, among=np.array([4]), out={4})


def test_whose_an_image_is_its_pixels_tell_too(graphed: Index) -> None:
    assert whose(graphed, frozenset({"m4"}), None) == {"p1"}
    assert whose(graphed, frozenset({"m10"}), None) == frozenset()  # nobody said whose that is
    out = Without(patient="P1 ").places(graphed)
    assert out == {3, 4, 5}


def test_a_graph_of_one_changed_bit_is_refused(graphed: Index, tmp_path: Path) -> None:
    save_index(graphed, tmp_path / "i")
    back = open_index(tmp_path / "i")
    assert back.graph == graphed.graph and way_of(back).name == "graph"
    data = bytearray((tmp_path / "i" / GRAPH).read_bytes())
    data[len(data) // 2] ^= 4
    (tmp_path / "i" / GRAPH).write_bytes(bytes(data))
    with pytest.raises(BundleError, match="damaged or was changed"):
        open_index(tmp_path / "i")


def test_a_graph_of_other_cases_is_refused(graphed: Index) -> None:
    with pytest.raises(BundleError, match="of other cases"):
        Graph.read(graphed.graph or b"", replace(graphed, entries=graphed.entries[:-1]), 64)


def test_vectors_that_a_graph_cannot_tell_are_compared_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vesalius.retrieve.ways.FEWEST", 1.01)
    found = with_way(made(600), many=500)
    assert found.search["way"] == "exact" and found.graph is None and "no more than" in found.search["why"]
