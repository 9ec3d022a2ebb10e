"""Surfaces of an answer over HTTP: closed, where the mask lies, of bounded size, made once, and refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from _uploads import ended, upload
from starlette.testclient import TestClient

from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.infer.predictor import Predictor
from vesalius.serve.http import surfaces
from vesalius.shapes.bounded import bounded

OBLIQUE = np.array([[0.3, 0, -2.0, 30], [-1.0, 0, -0.6, 5], [0, 1.5, 0, -80], [0, 0, 0, 1]])
SHAPE = (12, 20, 18)


@pytest.fixture
def answered(client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Ask a model that answers with two boxes, or with what is given, about an image; returns the paths of the job."""

    def ask(**how: Any) -> str:
        def answer(self: Predictor, case: Any, *, watch: Any = None) -> Mask:
            array = np.zeros((1, *SHAPE), np.uint8)
            array[0, 3:9, 4:14, 4:9], array[0, 3:9, 4:14, 11:15] = 1, 3
            said = {"image": Image(array, affine=OBLIQUE), "labels": (Label(1, "liver"), Label(3, "spleen"))}
            return Mask(**{**said, **how}, case_id=case.id)

        monkeypatch.setattr(Predictor, "__call__", answer)
        path = formats.write(
            Image(np.full((1, *SHAPE), 3, np.int16), affine=OBLIQUE), tmp_path / "image.nii.gz"
        )
        study = upload(client, ("image.nii.gz", path.read_bytes())).json()
        job = client.post(
            "/api/jobs", json={"model": "organs", "study": study["study"], "accept_mismatch": True}
        ).json()
        done = ended(client, job)
        assert done["status"] == "done", done
        return f"/api/jobs/{job['job']}/cases/c1"

    return ask


def test_the_mesh_is_closed_and_lies_where_the_mask_does(
    client: TestClient, answered: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = answered()
    got = client.get(f"{path}/surfaces.glb")
    assert got.status_code == 200 and got.headers["content-type"] == "model/gltf-binary"
    (tmp_path / "mesh.glb").write_bytes(got.content)
    scene = trimesh.load(tmp_path / "mesh.glb")
    assert {"liver", "spleen"} <= set(scene.graph.nodes)
    parts = list(scene.geometry.values())
    assert all(part.is_watertight for part in parts)
    voxel = abs(np.linalg.det(OBLIQUE))
    assert sorted(float(p.volume) for p in parts) == pytest.approx([240 * voxel, 300 * voxel], rel=0.01)
    back = formats.read_answer(tmp_path / "mesh.glb")
    corners = np.array([[4 - 0.5, 4 - 0.5, 3 - 0.5], [14.5, 13.5, 8.5]])
    index = (np.asarray(back.vertices_mm) - OBLIQUE[:3, 3]) @ np.linalg.inv(OBLIQUE[:3, :3]).T
    assert (np.abs(index.min(axis=0) - corners[0]) < 0.6).all()
    assert (np.abs(index.max(axis=0) - corners[1]) < 0.6).all()

    def refuse(mask: Any) -> Any:
        raise AssertionError("made again")

    monkeypatch.setattr(surfaces, "_surface", refuse)
    assert client.get(f"{path}/surfaces.glb").content == got.content
    picture = client.get(f"{path}/surfaces.png")  # of the mesh that is there
    assert picture.status_code == 200 and picture.content.startswith(b"\x89PNG")


def test_what_has_no_surface_is_refused_in_words(client: TestClient, answered: Any) -> None:
    nothing = answered(image=Image(np.zeros((1, *SHAPE), np.uint8), affine=OBLIQUE))
    got = client.get(f"{nothing}/surfaces.glb")
    assert got.status_code == 422 and got.json()["error"].startswith(
        "there is nothing to lay a surface about"
    )
    assert client.get("/api/jobs/none/cases/c1/surfaces.glb").status_code == 404
    assert client.get(f"{nothing.replace('c1', 'c9')}/surfaces.png").status_code == 404


def test_a_surface_for_the_eye_has_a_bounded_number_of_faces_and_loses_no_label(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    z, y, x = np.meshgrid(*(np.arange(36) - 18.0,) * 3, indexing="ij")
    array = (x**2 + y**2 + z**2 < 15**2).astype(np.uint8)
    array[2:34, 35, 35] = 2  # a thread
    mask = Mask(image=Image(array[None], affine=np.eye(4)), labels=(Label(1, "ball"), Label(2, "thread")))
    whole, small = bounded(mask), bounded(mask, faces=1500)
    assert len(whole.faces) > 5000 and len(small.faces) < 2000
    monkeypatch.setattr("vesalius.shapes.bounded.MOST_VOXELS", 30)
    coarse = bounded(mask)
    assert len(coarse.faces) < len(whole.faces) / 4
    assert set(np.unique(coarse.face_labels)) == {1, 2}  # type: ignore[arg-type]
    with pytest.raises(DataError):
        bounded(Mask(image=Image(np.zeros((1, 4, 4, 4), np.uint8), affine=np.eye(4)), labels=mask.labels))
