"""How long the nearest of 100,000 vectors of 256 take to be found, by a graph and exactly, beside FAISS and numpy.

Vectors are drawn about 200 centres; queries are others of the same kind. FAISS is asked where it is installed
(`pip install faiss-cpu`, for the benchmark alone).
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._figures import Figure, at_least, at_most, spread
from vesalius.core.image import Array
from vesalius.core.index import Entry, Index
from vesalius.core.index_file import open_index, save_index
from vesalius.retrieve.search import Without, searched
from vesalius.retrieve.ways import Way, way_of, with_way

SECTION = "Retrieval"
SOAK = False
SEEDS = (0,)
CASES, FEATURES, QUERIES, COUNT = 100_000, 256, 200, 10
MOST_S = 0.010


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Build an index once, and ask it one query after the other, as a service does, on one thread."""
    count = 3000 if quick else CASES
    rows: list[Figure] = []
    for seed in seeds:
        vectors, queries = drawn(count, seed=seed)
        entries = tuple(Entry(f"c{k}", patient=f"p{k // 2}") for k in range(count))
        began, used = time.perf_counter(), time.process_time()
        made = with_way(Index("b" * 64, "d" * 64, "vectors", vectors, entries), many=count)
        built = f"{time.perf_counter() - began:.0f} s, of which {time.process_time() - used:.0f} s computing"
        began = time.perf_counter()
        save_index(made, folder / f"index-{seed}")
        wrote = time.perf_counter() - began
        began = time.perf_counter()
        known = open_index(folder / f"index-{seed}")
        way = way_of(known)
        opened = time.perf_counter() - began
        rows.append(Figure("a graph made, and its recall measured", built, note=str(made.search["why"])))
        rows.append(
            Figure("the index written, and opened with every byte checked", f"{wrote:.1f} s, {opened:.1f} s")
        )
        rows += _asked(known, way, queries, seed)
        rows += _beside(known, queries)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rows.append(Figure("memory at its peak, all of this", f"{peak:.2f} GiB"))
    return rows


def drawn(count: int, *, seed: int) -> tuple[Array, Array]:
    """Return vectors `(N, 256)` and queries `(Q, 256)`, float32, about 200 common centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 1, (200, FEATURES)).astype(np.float32)

    def some(n: int) -> Array:
        noise = rng.standard_normal((n, FEATURES), dtype=np.float32)
        found: Array = centres[rng.integers(0, len(centres), n)] + noise + np.float32(2)
        return found

    return some(count), some(QUERIES)


def _asked(known: Index, way: Way, queries: Array, seed: int) -> list[Figure]:
    """Ask by the graph, each query without the cases of one patient, and hold the answers against the exact ones."""
    exact = way_of(known, exact=True)
    out = [Without(patient=f"p{k}").places(known) for k in range(len(queries))]

    def by_graph(k: int) -> set[int]:
        return set(searched(known, queries[k], count=COUNT, way=way, out=out[k]).places.tolist())

    def exactly(k: int) -> set[int]:
        return set(searched(known, queries[k], count=COUNT, way=exact, out=out[k]).places.tolist())

    found, seconds = _timed(by_graph, len(queries))
    truth, all_seconds = _timed(exactly, min(len(queries), 60))
    hits = sum(len(a & b) for a, b in zip(found, truth, strict=False))
    note = f"{len(queries)} queries, one after the other, {spread(seconds)}; a patient's own cases left out"
    return [
        at_most("by the graph, half of the queries", float(np.median(seconds)) * 1e3, MOST_S * 1e3, unit=" ms",
                seed=str(seed), note=note),
        Figure("by the graph, 95 of 100 queries", f"{np.percentile(seconds, 95) * 1e3:.2f} ms", seed=str(seed)),
        at_least("of the exact 10 nearest found by the graph", hits / (len(truth) * COUNT), 0.95, seed=str(seed)),
        Figure("every case compared (`--exact`)", f"{np.median(all_seconds) * 1e3:.1f} ms", seed=str(seed),
               note="half of the queries"),
    ]  # fmt: skip


def _beside(known: Index, queries: Array) -> list[Figure]:
    """Time numpy's product alone, usearch's exact search, and FAISS's graph and flat index on the same directions."""
    from usearch.index import search

    held = known.directions
    asked = np.stack([known.direction(q).astype(np.float32) for q in queries[:60]])
    ways: dict[str, Callable[[int], Any]] = {
        "numpy: one product and a partition": lambda k: np.argpartition(-(held @ asked[k]), COUNT)[:COUNT],
        "usearch, exact": lambda k: search(held, asked[k], COUNT, exact=True, threads=1),
    }
    rows: list[Figure] = []
    try:
        import faiss
    except ImportError:
        rows.append(Figure("FAISS", "not installed"))
    else:
        faiss.omp_set_num_threads(1)
        flat = faiss.IndexFlatIP(FEATURES)
        flat.add(held)
        graph = faiss.IndexHNSWFlat(FEATURES, 16, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = 64
        began, used = time.perf_counter(), time.process_time()
        graph.add(held)
        built = f"{time.perf_counter() - began:.0f} s, of which {time.process_time() - used:.0f} s computing"
        graph.hnsw.efSearch = int(known.search["reach"])
        rows.append(Figure("FAISS's graph made", built, note=f"faiss-cpu {faiss.__version__}"))
        ways["FAISS, graph"] = lambda k: graph.search(asked[k : k + 1], COUNT)
        ways["FAISS, flat"] = lambda k: flat.search(asked[k : k + 1], COUNT)
    for name, ask in ways.items():
        _, seconds = _timed(ask, len(asked))
        rows.append(
            Figure(name, f"{np.median(seconds) * 1e3:.2f} ms", note="half of the queries, one thread")
        )
    return rows


def _timed(ask: Callable[[int], Any], count: int) -> tuple[list[Any], list[float]]:
    ask(0)
    found, seconds = [], []
    for k in range(count):
        began = time.perf_counter()
        found.append(ask(k))
        seconds.append(time.perf_counter() - began)
    return found, seconds
