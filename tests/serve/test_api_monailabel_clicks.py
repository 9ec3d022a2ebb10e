"""Clicks over MONAI Label's requests: what is pointed at is found, in voxels (x, y, z), with its own client, too."""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from _browser import serving
from _clients import Clients
from _growing import Growing, blob, clickable
from starlette.testclient import TestClient

from vesalius import formats
from vesalius.core.image import Image
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.clicks import sessions
from vesalius.serve.http.monailabel.clicking import scribbled

MIDDLE, OTHER = (2, 9, 21), (6, 3, 4)  # (z, y, x)
SHAPE = (8, 14, 27)
AFFINE = np.array(
    [[-0.7, 0.1, 0, 3], [0.1, 0.7, 0, -20], [0, 0, -2.5, 40], [0, 0, 0, 1.0]]
)  # oblique, mirrored


@pytest.fixture
def clicked(models: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    monkeypatch.setattr(sessions, "Clicking", Growing)
    return clickable(models, "organs")


@pytest.fixture
def client(clicked: Catalogue, tmp_path: Path) -> Iterator[TestClient]:
    made = Clients(clicked, tmp_path)
    yield made()
    made.close()


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return formats.write(Image(blob(SHAPE, MIDDLE, OTHER)[None], affine=AFFINE), tmp_path / "scan.nii.gz")


def ijk(place: tuple[int, int, int]) -> list[int]:
    """The voxel of a place in the order of the file."""
    return list(reversed(place))


def infer(client: TestClient, params: Any, folder: Path, label: Path | None = None, more: str = "") -> Any:
    files: dict[str, Any] = {"params": (None, json.dumps(params))}
    if label is not None:
        files["label"] = (label.name, label.read_bytes())
    got = client.post(f"/infer/organs{more}?image=scan&output=image", files=files)
    if got.status_code != 200:
        return got
    (folder / "m.nii.gz").write_bytes(got.content)
    return np.asanyarray(nib.load(folder / "m.nii.gz").dataobj).T  # (z, y, x)


def box(*middles: tuple[int, int, int]) -> Any:
    made = np.zeros(SHAPE, np.uint8)
    for z, y, x in middles:
        made[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2] = 1
    return made


def test_points_are_voxels_of_the_file(client: TestClient, scan: Path, tmp_path: Path) -> None:
    client.put("/datastore/?image=scan", files={"file": (scan.name, scan.read_bytes())})
    info = client.get("/info/").json()["models"]
    assert info["organs"]["type"] == "deepgrow" and info["organs+scribbles"]["type"] == "scribbles"
    # where Slicer shows the first blob, in RAS, and the voxel that it makes of that point
    file = nib.load(scan)
    ras = file.affine @ [*ijk(MIDDLE), 1]
    voxel = [round(v) for v in (np.linalg.inv(file.affine) @ ras)[:3]]
    found = infer(client, {"label": "kidney", "foreground": [voxel], "background": []}, tmp_path)
    assert np.array_equal(found, box(MIDDLE))
    points = {"label": "kidney", "foreground": [ijk(OTHER), ijk(MIDDLE)], "background": []}
    assert np.array_equal(infer(client, points, tmp_path), box(MIDDLE, OTHER))
    points["background"] = [ijk(MIDDLE)]
    assert np.array_equal(infer(client, points, tmp_path), box(OTHER))
    deepedit = {"label": "kidney", "kidney": [ijk(OTHER)], "background": []}
    assert np.array_equal(infer(client, deepedit, tmp_path), box(OTHER))
    four = 'vesalius_latency_seconds_count{model="organs",sort="click"} 4.0'
    assert four in client.get("/metrics").text, "each request is a click"
    assert len(client.app.state.service.clicks) == 1, "one session answers all of them"  # type: ignore[attr-defined]
    far = infer(client, {"foreground": [[3, 4, 20]]}, tmp_path)
    assert far.status_code == 422 and far.json()["found"] == "[3, 4, 20] in an image of 27 × 14 × 8 voxels"
    assert infer(client, {}, tmp_path).status_code == 422
    assert infer(client, {"foreground": "all"}, tmp_path).status_code == 422
    assert infer(client, {"foreground": [[1, 2]]}, tmp_path).status_code == 422


def test_a_region_and_scribbles(client: TestClient, scan: Path, tmp_path: Path) -> None:
    client.put("/datastore/?image=scan", files={"file": (scan.name, scan.read_bytes())})
    roi = [22, 19, 8, 10, 1, 3]  # from one corner to the other, as RAS to voxels may turn them round
    assert np.array_equal(infer(client, {"roi": roi}, tmp_path), box(MIDDLE))
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[OTHER], drawn[2, 9, 18:22], drawn[0, 0, 0] = 3, 2, 1
    label = formats.write(Image(drawn[None], affine=AFFINE), tmp_path / "l.nii.gz")
    found = infer(client, {"roi": roi, "label_info": []}, tmp_path, label, "+scribbles")
    assert np.array_equal(found, box(OTHER))
    named = {
        "label_info": [{"name": "background_scribbles", "id": 3}, {"name": "foreground_scribbles", "id": 2}]
    }
    assert np.array_equal(infer(client, named, tmp_path, label, "+scribbles"), box(MIDDLE))
    shifted = AFFINE.copy()
    shifted[:3, 3] += 30
    label = formats.write(Image(drawn[None], affine=shifted), tmp_path / "far.nii.gz")
    assert infer(client, {}, tmp_path, label, "+scribbles").status_code == 422


def test_scribbles_mark_exactly_what_is_drawn() -> None:
    values = np.zeros((3, 20, 20), np.uint8)
    values[1][np.hypot(*(np.indices((20, 20)) - 9.5)).round() == 7] = (
        3  # a ring, which no straight line may cross
    )
    values[0, 2, 2:5] = values[2, 15, 15] = 2
    strokes = scribbled(values, {}, values.shape)
    marked = np.zeros(values.shape, np.uint8)
    for stroke in strokes:
        marked[tuple(stroke.voxels().T)] = 3 if stroke.adds else 2
    assert np.array_equal(marked, values) and [s.adds for s in strokes] == [True, False, False]


def test_monai_labels_own_client_points(clicked: Catalogue, scan: Path, tmp_path: Path) -> None:
    apart = Path(sys.prefix) / "monailabel"
    sys.path.insert(0, str(apart))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            real = importlib.import_module("monailabel.client.client")
    except ImportError:
        pytest.skip("MONAI Label is not installed")
    finally:
        sys.path.remove(str(apart))
    with serving(clicked, tmp_path / "service") as address:
        label = real.MONAILabelClient(address, tmpdir=str(tmp_path))
        session = label.create_session(str(scan))["session_id"]
        points = {"label": "kidney", "foreground": [ijk(MIDDLE)], "background": []}
        file, params = label.infer("organs", "", points, session_id=session)
        params = json.loads(params) if isinstance(params, str) else params
        assert params["label_names"] == {"kidney": 1}
        assert np.array_equal(np.asanyarray(nib.load(file).dataobj).T, box(MIDDLE))
        points["background"] = [ijk(MIDDLE)]
        file, _ = label.infer("organs", "", points, session_id=session)
        assert not np.asanyarray(nib.load(file).dataobj).any()
