"""Skulls: the mirror error and the plane are what the surface shows, the piece is what the whole skull has more."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from vesalius.core.errors import DataError, UnknownName
from vesalius.phantom.skull import SkullPatient, patient, twin
from vesalius.phantom.skulls.parameters import DIAMETER_MM, MIRROR_RMS_MM
from vesalius.phantom.skulls.vault import directions


@pytest.fixture(scope="module")
def skulls() -> list[SkullPatient]:
    return [patient(index, seed=2, size=32) for index in range(6)]


def test_the_piece_and_the_bone_are_the_whole_skull(skulls: list[SkullPatient]) -> None:
    for index, one in enumerate(skulls[:2]):
        whole = twin(index, 2, without="defect", size=32)
        assert not (one.bone & one.implant).any() and one.implant.any() and not whole.implant.any()
        assert np.array_equal(one.bone | one.implant, whole.bone)
        changed = one.volume != whole.volume
        assert 0 < changed.mean() < 0.05  # the rest, its noise included, is the same


def test_healthy_skulls_have_no_piece_and_the_same_people() -> None:
    whole, lacking = patient(3, 2, size=24, defect="none"), patient(3, 2, size=24)
    assert set(whole.as_case().targets) == {"bone"} and whole.truth()["defect"] is None
    assert set(lacking.as_case().targets) == {"bone", "implant"}
    assert np.array_equal(whole.bone, lacking.bone | lacking.implant)
    assert whole.truth()["plane"] == lacking.truth()["plane"]


def test_mirror_error_is_what_a_dense_surface_measures(skulls: list[SkullPatient]) -> None:
    """Against nearest points and their normals: another way than the radial one by which the skull was drawn."""
    for one in skulls[:2]:
        vault = one.person.vault
        ways = directions(40000)
        ways = ways[:, ways[2] > -0.3]
        places, normals, _ = vault.surface(ways)
        flip = np.array([[-1.0], [1.0], [1.0]])
        some = np.random.default_rng(0).choice(np.flatnonzero(ways[2] > -0.25), 2000)
        mirrored = places[:, some] * flip
        _, found = cKDTree(places.T).query(mirrored.T)
        far = ((mirrored - places[:, found]) * normals[:, found]).sum(axis=0)
        area = (places[:, some] ** 2).sum(axis=0)
        rms = float(np.sqrt(np.average(far**2, weights=area)))
        assert rms == pytest.approx(one.person.mirror_rms_mm, rel=0.12)
        assert np.abs(far).max() == pytest.approx(one.person.mirror_max_mm, rel=0.15)


def test_no_turn_or_shift_of_the_plane_lessens_the_mirror_error(skulls: list[SkullPatient]) -> None:
    for one in skulls[:2]:
        vault = one.person.vault
        ways = directions(3000)
        ways = ways[:, ways[2] > -0.25]
        places, normals, facing = vault.surface(ways)
        far = 2 * vault.odd(ways) * facing
        moves = np.stack(
            [normals[0], *((normals * np.cross(a, places.T).T).sum(axis=0) for a in np.eye(3)[1:])]
        )
        weight = np.sqrt((places**2).sum(axis=0) / facing)
        left = (
            far * weight
            - (moves * weight).T @ np.linalg.lstsq((moves * weight).T, far * weight, rcond=None)[0]
        )
        assert (left**2).sum() > 0.99 * ((far * weight) ** 2).sum()


def test_the_truth_tells_of_the_hole(skulls: list[SkullPatient]) -> None:
    for one in skulls:
        truth = one.truth()
        defect, plane = truth["defect"], truth["plane"]
        index = np.stack(np.nonzero(one.implant))[::-1]
        places = (one.affine[:3, :3] @ index + one.affine[:3, 3:]).T
        beyond = (places - plane["point_mm"]) @ np.array(plane["normal"]) > 0
        share = min(beyond.mean(), 1 - beyond.mean())
        assert defect["crosses_midline"] == (share >= 0.05) and DIAMETER_MM[0] <= defect["diameter_mm"] <= 90
        assert np.linalg.norm(places.mean(axis=0) - defect["point_mm"]) < 0.6 * defect["diameter_mm"]
        thick = 10 * defect["implant_ml"] / defect["area_cm2"]  # mm: the piece is a curved plate
        assert 2 < thick < 14
        assert MIRROR_RMS_MM[2] <= truth["mirror_rms_mm"] <= MIRROR_RMS_MM[3]
    assert len({tuple(one.truth()["thickness_mm"]) for one in skulls}) == len(skulls)


def test_bone_is_bright_and_the_hole_is_not(skulls: list[SkullPatient]) -> None:
    one, whole = skulls[0], twin(0, 2, without="defect", size=32)
    assert np.median(whole.volume[one.implant]) > 400 > 150 > np.median(one.volume[one.implant])
    assert np.median(one.volume[one.bone]) > 400 and one.volume[0, 0, 0] < -800


def test_options_out_of_range() -> None:
    with pytest.raises(UnknownName, match="defect"):
        patient(0, defect="two")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="voxels a side"):
        patient(0, size=8)
