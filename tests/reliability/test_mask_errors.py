"""Mask errors: planted regions are found with their size and place, edges and unknown labels are no errors, memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from vesalius.core.case import IGNORED
from vesalius.core.errors import DataError
from vesalius.reliability.mask_errors import MaskErrors

LABELS, VALUES = ("liver", "spleen"), (3, 7)


def _truth(shape: tuple[int, int, int] = (16, 32, 32)) -> Any:
    true = np.zeros(shape, np.int16)
    true[4:12, 4:14, 4:14] = 3
    true[4:12, 18:28, 18:28] = 7
    return true


def _chances(true: Any, sure: float = 0.9) -> Any:
    p = np.stack([np.where(true == v, sure, (1 - sure) / 2) for v in VALUES])
    return p.astype(np.float16)


def test_a_planted_region_is_found_where_it_lies() -> None:
    found = MaskErrors(LABELS, VALUES)
    true = _truth()
    given = true.copy()
    given[5:9, 19:24, 20:26] = 3  # 120 voxels of the spleen are called liver
    found.see("planted", given, _chances(true), spacing_mm=(2.0, 2.0, 1.0))
    found.see("right", true, _chances(true), spacing_mm=(2.0, 2.0, 1.0))
    (one,) = found.found().errors
    assert (one.case, one.given, one.likely) == ("planted", "liver", "spleen")
    assert (one.low, one.high, one.voxels) == ((5, 19, 20), (9, 24, 26), 120)
    assert one.core == 2 * 3 * 4 and one.volume_mm3 == pytest.approx(480)
    assert one.margin == pytest.approx(0.85, abs=1e-3) and 5 <= one.plane < 9
    assert one.evidence == pytest.approx(24 * 0.85 * 4, rel=1e-3)  # the inside in mm³, times the mean margin


def test_missing_and_added_parts_are_of_the_background() -> None:
    found = MaskErrors(LABELS, VALUES)
    true = _truth()
    given = true.copy()
    given[4:12, 18:28, 18:28] = 0
    given[0:4, 0:4, 26:32] = 7
    found.see("a", given, _chances(true))
    found.see("right", true, _chances(true))
    said = [(e.given, e.likely, e.voxels) for e in found.found().errors]
    assert said == [("background", "spleen", 800), ("spleen", "background", 96)]
    assert all(e.volume_mm3 is None for e in found.found().errors)


def test_a_thin_rim_is_how_edges_are_and_no_error() -> None:
    found = MaskErrors(LABELS, VALUES)
    true = _truth()
    given = true.copy()
    given[3, 4:14, 4:14] = 3  # one voxel too thick on one side: 100 voxels, none of them inside of the rest
    found.see("a", given, _chances(true))
    assert found.found().errors == ()


def test_a_label_that_the_models_do_not_know_is_said_and_no_region_of_it_is_an_error() -> None:
    found = MaskErrors(LABELS, VALUES)
    true = _truth()
    never = np.where(true == 7, 0, true)  # the models never find a spleen
    found.see("a", true, _chances(never))
    assert found.found().errors == () and found.found().unknown == ("spleen",)


def test_ignored_voxels_are_left_out_and_overlapping_labels_are_asked_by_themselves() -> None:
    found = MaskErrors(LABELS, VALUES)
    true = _truth()
    given = true.copy()
    given[5:9, 19:24, 20:26] = IGNORED
    found.see("a", given, _chances(true))
    assert found.found().errors == ()
    several = MaskErrors(LABELS, VALUES, overlapping=True)
    bits = np.stack([true == 3, true == 7])
    bits[0, 5:9, 19:24, 20:26] = True
    several.see("a", bits, _chances(true))
    (one,) = several.found().errors
    assert (one.given, one.likely, one.voxels) == ("liver", "no liver", 120)
    with pytest.raises(DataError, match="two grids"):
        found.see("b", true[:4], _chances(true))


def test_pictures_and_the_order_by_evidence() -> None:
    found = MaskErrors(("cell",), (1,), least=9)
    true = np.zeros((1, 64, 64), np.uint8)
    true[0, 8:20, 8:20] = 1
    p = np.where(true == 1, 0.95, 0.05)[:, None].astype(np.float16)[:1].reshape(1, 1, 64, 64)
    small, large = true.copy(), true.copy()
    small[0, 40:45, 40:45] = 1
    large[0, 40:55, 40:55] = 1
    found.see("small", small, p)
    found.see("large", large, p)
    assert [(e.case, e.core) for e in found.found().errors] == [("large", 169), ("small", 9)]


def test_memory_does_not_grow_with_the_cases() -> None:
    found = MaskErrors(tuple("abcdefgh"), tuple(range(1, 9)))
    rng = np.random.default_rng(0)
    given = rng.integers(0, 9, (8, 8, 8)).repeat(8, 0).repeat(8, 1).repeat(8, 2).astype(np.int16)
    p = np.stack([np.where(given == k, 0.8, 0.02) for k in range(1, 9)]).astype(np.float16)
    wrong = given.copy()
    wrong[:16] = (wrong[:16] + 1) % 9
    tracemalloc.start()
    peaks = []
    for k in range(3):
        found.see(f"case {k}", wrong, p)
        peaks.append(tracemalloc.get_traced_memory()[1])
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(found.found().errors) > 60
    assert peaks[2] < peaks[0] * 1.1 and kept < 3e6
    assert peaks[0] < 4 * p.nbytes, "a small multiple of one case's probabilities"
