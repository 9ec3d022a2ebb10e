"""Cine: volumes are those of the drawn outline, the fraction follows from them, and speckle moves with the muscle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vesalius as vs
from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.phantom import cine
from vesalius.phantom.heart import beat, probe, ventricle


@pytest.fixture(scope="module")
def made() -> list[cine.CinePatient]:
    """Thirty small cines."""
    return [cine.patient(k, 5, size=32) for k in range(30)]


def test_the_fraction_is_that_of_the_true_volumes(made: list[cine.CinePatient]) -> None:
    for one in made:
        told = json.loads(json.dumps(one.truth()))
        assert cine.oracle(told) == pytest.approx(one.ejection_fraction, abs=0.01)
        assert abs(cine.of_frames(told) - one.ejection_fraction) < 4  # frames may miss the very end
        assert 14 < one.ejection_fraction < 76
        assert len(one.full) == len(one.empty) == len(one.fractions) >= 1
        assert all(one.volumes_ml[f] > one.volumes_ml[e] for f, e in zip(one.full, one.empty, strict=True))
    errors = [cine.of_frames(one.truth()) - one.ejection_fraction for one in made]
    assert np.mean(np.abs(errors)) < 1


def test_frames_and_rates_are_uneven_and_beats_begin_anywhere(made: list[cine.CinePatient]) -> None:
    many = [len(one.frames) for one in made]
    assert min(many) >= 24 and max(many) <= 48 and len(set(many)) > 8
    assert len({one.times_s[1] for one in made}) > 20
    assert {one.beats.rhythm for one in made} == set(beat.RHYTHMS)
    begins = [one.beats.starts_s[one.beats_seen[0]] - one.start_s for one in made]
    assert min(begins) < 0.15 and max(begins) > 0.5
    for one in made:
        spread = float(np.std(np.diff(one.beats.starts_s)) / np.mean(np.diff(one.beats.starts_s)))
        assert (spread > 0.1) == (one.beats.rhythm == "irregular")


def test_the_drawn_outline_has_the_volume_that_is_told() -> None:
    """Half a prolate ellipsoid of half axes b and L holds 2/3 π b² L, and the area-length method says the same."""
    shape = replace(ventricle.draw_ventricle(np.random.default_rng(0)), bent=0.002, tilt=8.0)
    told = np.array([90.0])
    now = ventricle.axes(shape, told, told)
    full = ventricle.axes(shape, np.array([shape.full_ml]), np.array([shape.full_ml]))
    step = 0.25
    at = (np.arange(640) + 0.5) * step
    down, right = np.meshgrid(at, at - 80, indexing="ij")
    seen = ventricle.tissue(shape, now, full, down[None].astype(np.float32), right[None].astype(np.float32))
    inside = (seen.depth[0] < 0) & (seen.down[0] < now.length[0])
    area = float(inside.sum()) * step**2
    assert 8 * area**2 / (3 * np.pi * now.length[0]) / 1000 == pytest.approx(90.0, rel=0.02)
    by_hand = 2 / 3 * np.pi * now.septum[0] ** 2 * now.length[0] / 1000
    assert by_hand == pytest.approx(90.0, rel=1e-6)


def test_muscle_keeps_its_volume() -> None:
    shape = ventricle.draw_ventricle(np.random.default_rng(3))
    told = np.array([shape.full_ml, 0.4 * shape.full_ml])
    now = ventricle.axes(shape, told, told)
    muscle = (now.side + now.side_wall) ** 2 * (now.length + now.side_wall) - now.side**2 * now.length
    assert muscle[1] == pytest.approx(muscle[0], rel=1e-6) and now.side_wall[1] > now.side_wall[0]


def test_tissue_keeps_its_name_while_it_moves() -> None:
    """A point of the middle of the wall, followed by hand while the heart empties, is called the same."""
    shape = replace(ventricle.draw_ventricle(np.random.default_rng(1)), bent=0.0, tilt=0.0, apex=(20.0, 0.0))
    told = np.array([shape.full_ml, 0.5 * shape.full_ml])
    now, full = ventricle.axes(shape, told, told), ventricle.axes(shape, told[:1], told[:1])
    names = []
    for k in (0, 1):
        angle = 0.6  # of the half ellipse through the middle of the wall
        half = now.side_wall[k] / 2
        across, up = (now.side[k] + half) * np.cos(angle), (now.length[k] + half) * np.sin(angle)
        down = np.array([[[20.0 + now.length[k] - up]]], np.float32)
        seen = ventricle.tissue(shape, now.at(k), full, down, np.array([[[across]]], np.float32))
        names.append((float(seen.lateral[0, 0, 0]), float(seen.along[0, 0, 0])))
    assert names[0] == pytest.approx(names[1], abs=0.1)
    assert names[0][0] == pytest.approx((now.side[0] + now.side_wall[0] / 2) * np.cos(0.6), abs=0.1)


def test_speckle_moves_with_the_tissue_and_noise_does_not() -> None:
    """Without noise two frames of the same volume are alike, also a beat apart; with it they are not the same."""
    loud, still = (cine.patient(3, 0, size=48, noise=noise).frames.astype(float) for noise in (1.0, 0.0))
    volumes = cine.patient(3, 0, size=48).volumes_ml
    assert not np.array_equal(loud, still)
    near = int(np.abs(volumes[3:] - volumes[0]).argmin()) + 3
    far = int(np.abs(volumes - volumes[0]).argmax())
    alike, unlike = (np.corrcoef(still[0].ravel(), still[k].ravel())[0, 1] for k in (near, far))
    assert alike > unlike
    fresh = np.abs(loud - loud[0]).mean(axis=(1, 2))[1:]
    assert fresh.min() > 3  # grey values: no two frames are the same


def test_neither_size_nor_view_nor_site_tells_the_fraction() -> None:
    shapes, fractions = [], []
    for k in range(70):
        one = cine.patient(k, 1, size=32, frames=24)
        shapes.append((one.shape.full_ml, one.shape.length, one.spacing_mm, one.heart_rate))
        fractions.append(one.ejection_fraction)
    assert np.abs(np.corrcoef(np.array(shapes).T, np.array(fractions))[-1, :-1]).max() < 0.35  # chance: ± .24


def test_a_paced_heart_s_walls_contract_apart() -> None:
    one = next(p for p in (cine.patient(k, 0, size=32) for k in range(40)) if p.beats.rhythm == "paced")
    times = one.start_s + np.array(one.times_s)
    septum, side = one.beats.sides_ml(times)
    assert np.abs(septum - side).max() > 0.1 * (septum.max() - septum.min())
    assert np.allclose((septum + side) / 2, one.volumes_ml)


def test_both_formats_hold_the_same_frames_and_times(tmp_path: Path) -> None:
    one = cine.patient(1, 0, size=48)
    for format, suffix in (("nifti", ".nii.gz"), ("dicom", ".dcm")):
        root = vs.phantom(tmp_path / format, kind="cine", cases=3, format=format, options={"size": 48})
        read = formats.read(Ref((root / "images" / f"{one.id}{suffix}",)))
        assert isinstance(read, Image) and np.array_equal(read.array[:, 0, 0], one.frames)
        assert np.allclose(read.times_s or (), one.times_s, atol=1e-6)
        assert read.spacing_mm == pytest.approx((one.spacing_mm, one.spacing_mm, 1.0), rel=1e-5)
        cohort = vs.read(root / "cohort.csv", target="ejection_fraction")
        assert cohort.case(one.id).targets == {"ejection_fraction": one.ejection_fraction}


def test_sites_turn_the_picture() -> None:
    assert len({(s.apex_down, s.mirrored) for s in probe.SITES}) == 3


def test_an_impossible_option_is_refused() -> None:
    with pytest.raises(DataError, match="24 to 400 frames"):
        cine.patient(0, frames=3)
    with pytest.raises(DataError, match="noise"):
        cine.patient(0, noise=-1.0)
    with pytest.raises(DataError, match="not negative"):
        cine.patient(-1)
