"""Shape models: correspondence, modes, completion, drawing, scores and the sealed folder, each as it is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from tests.shapes.models._beans import bean, half

from vesalius.core.answers.surface import Surface
from vesalius.core.errors import BundleError, DataError, GeometryError
from vesalius.core.image import Image
from vesalius.shapes.measures import volume_ml
from vesalius.shapes.models.aligning import procrustes
from vesalius.shapes.models.cloud import cloud_of
from vesalius.shapes.models.completing import complete
from vesalius.shapes.models.file import load_model, save_model
from vesalius.shapes.models.generating import generate
from vesalius.shapes.models.learning import Corresponding, correspond
from vesalius.shapes.models.model import ShapeModel
from vesalius.shapes.models.modes import modes_of
from vesalius.shapes.models.posterior import Columns, posterior
from vesalius.shapes.models.scoring import unusual
from vesalius.shapes.voxels import filled

RANDOM = np.random.default_rng(3)


def test_mirrored_shapes_and_other_units_are_left_out_by_name(beans: Corresponding) -> None:
    assert beans.names == tuple(f"bean {k}" for k in range(7))
    assert "mirror" in beans.left_out["mirrored"] and "mm" in beans.left_out["metres"]
    assert any("uncertain" in note for note in beans.notes)
    assert max(beans.residuals_mm.values()) < 0.5, "a template lies on its shapes"


def test_four_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="needs 5 shapes"):
        correspond({str(k): bean(k) for k in range(4)}, lambda one: one, samples=200)


def test_modes_are_those_of_a_singular_value_decomposition() -> None:
    shapes = RANDOM.normal(size=(6, 5, 3))
    found = modes_of(shapes, share=1.0, seed=None)
    flat = (shapes - shapes.mean(axis=0)).reshape(6, -1)
    values = np.linalg.svd(flat, compute_uv=False)[:5] ** 2 / 5
    assert np.allclose(found.every, values) and np.allclose(found.variances, values)
    flatly = found.vectors.reshape(5, -1)
    assert np.allclose(flatly @ flatly.T, np.eye(5))
    assert np.allclose(found.mean + np.einsum("nk,kvc->nvc", found.weights, found.vectors), shapes)


def test_only_what_shapes_have_in_common_stands_out_from_chance() -> None:
    way = RANDOM.normal(size=(1, 40, 3))
    shapes = 3 * RANDOM.normal(size=(30, 1, 1)) * way + RANDOM.normal(size=(30, 40, 3))
    assert modes_of(shapes).sound == 1
    assert modes_of(RANDOM.normal(size=(30, 40, 3))).sound == 0


def test_procrustes_gives_back_a_pose_and_never_mirrors() -> None:
    points = RANDOM.normal(size=(20, 3))
    turn = np.linalg.qr(RANDOM.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    pose = procrustes(points, 2 * points @ turn.T + (1, 2, 3), sizes=True)
    assert np.allclose(pose.rotation, turn) and pose.scale == pytest.approx(2)
    assert np.allclose(pose.shift_mm, (1, 2, 3)) and np.allclose(pose.back(pose(points)), points)
    assert np.linalg.det(procrustes(points, points * (-1, 1, 1)).rotation) == pytest.approx(1)


def test_a_posterior_is_that_of_a_conditioned_gaussian(model: ShapeModel) -> None:
    """Against the textbook's conditional mean and covariance, by the covariance matrix itself."""
    v, p = len(model.mean_mm), 4
    columns = Columns(RANDOM.normal(size=(3 * v, p)), p, 0)
    chosen = np.arange(6)
    normals = np.tile([1.0, 0.0, 0.0], (6, 1))
    targets = model.mean_mm[chosen] + RANDOM.normal(size=(6, 3))
    found = posterior(model, columns, chosen, targets, normals, noise_mm=0.7, weights=np.ones(6))
    slide = 0.7**2 + (0.5 * model.size_mm) ** 2
    seen = columns.matrix[:18]
    noise = np.diag(np.tile([0.7**2, slide, slide], 6))
    gain = columns.matrix @ seen.T @ np.linalg.inv(seen @ seen.T + noise)
    mean = gain @ (targets - model.mean_mm[chosen]).ravel()
    cover = columns.matrix @ columns.matrix.T - gain @ seen @ columns.matrix.T
    assert np.allclose(found.points_mm.ravel(), model.mean_mm.ravel() + mean)
    assert np.allclose(found.factor @ found.factor.T, cover)
    assert np.isfinite(multivariate_normal(np.zeros(p)).logpdf(found.weights))


def test_a_half_is_completed_nearer_than_the_mean_shape_is(model: ShapeModel) -> None:
    one = bean(11)
    found = complete(model, half(one))
    truth, unseen = cloud_of(one), ~found.seen
    laid = procrustes(model.mean_mm, found.surface.vertices_mm)(model.mean_mm)
    far, mean = (truth.distance_mm(p[unseen]).mean() for p in (found.surface.vertices_mm, laid))
    assert 0.2 < found.missing < 0.8 and found.band_mm is not None
    assert far < 4 and truth.distance_mm(found.surface.vertices_mm[found.seen]).mean() < 0.5
    assert found.band_mm[unseen].mean() > found.band_mm[found.seen].mean(), "what was not seen is less sure"
    assert mean > 0


def test_a_mirror_image_is_refused_and_so_are_metres(model: ShapeModel) -> None:
    one = bean(11)
    with pytest.raises(DataError, match="mirror image"):
        complete(
            model, Surface(vertices_mm=one.vertices_mm * (-1, 1, 1), faces=one.faces[:, ::-1]), whole=True
        )
    with pytest.raises(DataError, match="another size"):
        complete(model, bean(11, size=0.001))


def test_a_monster_is_more_unusual_than_a_bean(model: ShapeModel) -> None:
    one = bean(12)
    monster = Surface(vertices_mm=one.vertices_mm * (1, 1.7, 0.6), faces=one.faces)
    usual, odd = unusual(model, one), unusual(model, monster)
    assert (
        odd.p <= usual.p and odd.p == pytest.approx(1 / (odd.n + 1)) and odd.mahalanobis > usual.mahalanobis
    )


def test_what_is_promised_was_measured_on_all_left_out(model: ShapeModel) -> None:
    assert model.promised["shapes"] == 7 and 0.8 < model.promised["coverage"]["value"] <= 1
    figures = model.figures
    assert np.all(np.diff(figures["compactness"]) > 0)
    ends = [one["value"] for one in figures["generalisation_mm"]]
    assert ends == sorted(ends, reverse=True) and ends[0] < figures["mean_mm"]["value"]


def test_drawn_shapes_follow_the_law_and_the_seed(model: ShapeModel) -> None:
    many = np.stack([one.vertices_mm for one in generate(model, 300, seed=1, limit=2.0)])
    b = np.einsum("nvc,kvc->nk", many - model.mean_mm, model.modes) / np.sqrt(model.variances)
    assert np.abs(b).max() <= 2 + 1e-9 and abs(b.mean()) < 0.1
    assert b.std() == pytest.approx(0.88, abs=0.05), "the deviation of a normal law within two of them"
    again = generate(model, 2, seed=1, limit=2.0, first=3)[0]
    assert np.array_equal(again.vertices_mm, many[3])


def test_a_model_is_read_as_it_was_written_and_a_changed_one_is_not(
    model: ShapeModel, tmp_path: Path
) -> None:
    kept = save_model(model, tmp_path / "m")
    assert np.array_equal(kept.modes, model.modes) and kept.promised == model.promised and kept.hash
    assert all("bean 3" not in p.read_text(errors="ignore") for p in (tmp_path / "m").iterdir())
    (tmp_path / "m" / "card.md").write_text("another")
    with pytest.raises(BundleError, match="SHA-256"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("turn", [(1, 1, 1), (-1, 1, 1)], ids=["right-handed", "left-handed"])
def test_voxels_within_a_surface_hold_its_volume(turn: tuple[int, int, int]) -> None:
    one = bean(2)
    affine = np.diag([*(2.0 * np.array(turn)), 1.0])
    affine[:3, 3] = -60.0 * np.array(turn)
    bits = filled(one, Image(np.zeros((1, 60, 60, 60), np.uint8), affine=affine))
    assert bits.sum() * 8 / 1000 == pytest.approx(volume_ml(one), rel=0.01)
    open_ = Surface(vertices_mm=one.vertices_mm, faces=one.faces[:-40])
    with pytest.raises(GeometryError, match="not closed"):
        filled(open_, Image(np.zeros((1, 60, 60, 60), np.uint8), affine=affine))
