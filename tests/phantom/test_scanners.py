"""Heads on four scanners: the same person on each, what the scanners do, and how often a lesion is seen on each."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.phantom.heads.head import FLUID, WHITE
from vesalius.phantom.heads.scanner import SCANNERS
from vesalius.phantom.scanners import patient


def test_one_person_on_four_scanners() -> None:
    four = [patient(k, size=24) for k in range(4, 8)]
    assert {p.patient for p in four} == {"H0001"} and [p.scanner.name for p in four] == ["A", "B", "C", "D"]
    assert all(np.array_equal(p.head.tissue, four[0].head.tissue) for p in four[1:])
    assert len({p.head.age for p in four}) == 1 and all(p.head.lesion_mm for p in four)
    white = four[0].head.tissue == WHITE
    means = np.array([p.volume[white].mean() for p in four])
    gains = np.array([s.gain for s in SCANNERS])
    assert (
        np.argsort(means).tolist()
        == np.argsort(gains * 0.85 ** np.array([s.gamma for s in SCANNERS])).tolist()
    )


def test_without_strength_only_noise_differs() -> None:
    a, d = (patient(k, size=24, strength=0.0) for k in (0, 3))
    assert not np.array_equal(a.volume, d.volume)
    inside = a.head.tissue == WHITE
    assert abs(a.volume[inside].mean() / d.volume[inside].mean() - 1) < 0.01


def test_other_persons_have_lesions_on_every_scanner_as_often() -> None:
    seen = [patient(k, size=24, same=False) for k in range(16)]
    assert len({p.patient for p in seen}) == 16
    for name in "ABCD":
        own = [p for p in seen if p.scanner.name == name]
        assert sum(p.head.lesion_mm is not None for p in own) == 2


def test_ventricles_widen_with_age() -> None:
    heads = [patient(k, size=24, same=False).head for k in range(30)]
    middle = [float((h.tissue[8:16, 8:16, 8:16] == FLUID).mean()) for h in heads]
    assert np.corrcoef([h.age for h in heads], middle)[0, 1] > 0.6


def test_an_option_out_of_range() -> None:
    with pytest.raises(DataError, match="strength"):
        patient(0, strength=3.0)
