"""ONNX files of others answer here as ONNX Runtime says of the file itself; what is no such model is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import vesalius as vs
from vesalius.core.bundle import Bundle
from vesalius.core.errors import BundleError, DataError, PlanError
from vesalius.imports.contract import Told
from vesalius.imports.origins import onnx as origin

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


class Classes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.last = nn.Linear(4, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.last(self.net(image)).softmax(dim=1)


class Points(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 3, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def exported(
    model: nn.Module, shape: tuple[int, ...], path: Path, *, name: str = "image", free: bool = True
) -> Path:
    """Write a model as torch's own exporter does."""
    torch.manual_seed(3)
    for p in model.parameters():
        nn.init.normal_(p, std=0.7)
    rows = ({0: torch.export.Dim("rows", min=1, max=64)},) if free else None
    torch.onnx.export(
        model.eval(),
        (torch.zeros(2 if free else 1, *shape),),
        path,
        input_names=[name],
        output_names=["out"],
        dynamo=True,
        dynamic_shapes=rows,
        external_data=False,
        verbose=False,
    )
    return path


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bundle]:
    folder = tmp_path_factory.mktemp("onnx")
    path = exported(Classes(), (1, 24, 24), folder / "classes.onnx")
    assert origin.suits(path)
    bundle = vs.import_model(path, folder / "made", labels={0: "a", 1: "b", 2: "c"}, normalise="0..255")
    return path, bundle


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bundle]:
    folder = tmp_path_factory.mktemp("points")
    path = exported(Points(), (1, 8, 16, 16), folder / "points.onnx", name="x")
    told: dict[str, Any] = {"labels": {1: "a", 2: "b"}, "normalise": "none"}
    return path, vs.import_model(path, folder / "made", **told, settings={"data.spacing_mm": None})


def of_the_file(path: Path, name: str, x: Any) -> Any:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {name: x.astype(np.float32)})[0]


def test_classes_are_those_of_the_file(classes: tuple[Path, Bundle]) -> None:
    path, bundle = classes
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24), dtype=np.uint8)
    answer = vs.predict(bundle, vs.image(pixels, axes="yx"))
    wanted = of_the_file(path, "image", (pixels / 255)[None, None])[0]
    assert np.abs(np.asarray(answer.p) - wanted).max() < 1e-5
    assert (
        bundle.stages[-1].runtime == "onnx"
        and bundle.stages[-1].extras["selftest"].values.get("none") is None
    )


def test_points_are_those_of_the_file(points: tuple[Path, Bundle]) -> None:
    path, bundle = points
    pixels = np.random.default_rng(0).normal(size=(8, 16, 16)).astype(np.float32)
    answer = vs.predict(bundle, vs.image(pixels, axes="zyx", spacing_mm=(1, 1, 1)))
    wanted = of_the_file(path, "x", pixels[None, None])[0].argmax(axis=0)
    assert 0 < (wanted > 0).mean() < 1 and np.array_equal(answer.image.array[0], wanted)


def test_gradients_are_refused_in_plain_words_and_perturbations_work(classes: tuple[Path, Bundle]) -> None:
    _, bundle = classes
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24), dtype=np.uint8)
    image = vs.image(pixels, axes="yx")
    with pytest.raises(DataError, match="imported as a graph, which has no gradients"):
        vs.explain(bundle, image, method="integrated-gradients", progress=False)
    with pytest.raises(DataError, match="no network with a map"):
        vs.explain(bundle, image, method="gradcam", progress=False)
    found = vs.explain(
        bundle, image, method=["occlusion", "shap-gradient"], samples=8, pieces=9, progress=False
    )
    assert list(found.refused) == ["shap-gradient"] and [e.method for e in found.explained] == ["occlusion"]
    with pytest.raises(PlanError, match="neither gradients nor layers"):
        bundle.torch()(torch.zeros(1, 1, 1, 24, 24, requires_grad=True))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (Told(normalise="none"), "each stands for"),
        (Told(labels={0: "a", 1: "b", 2: "c"}), "normalised"),
    ],
)
def test_what_nobody_says_is_asked_for(told: Told, said: str, classes: tuple[Path, Bundle]) -> None:
    with pytest.raises(PlanError, match=said):
        origin.bring(classes[0], told)


def changed(source: Path, path: Path, change: Any) -> Path:
    proto = onnx.load(source)
    change(proto)
    path.write_bytes(proto.SerializeToString())
    return path


def test_hostile_files_are_refused(classes: tuple[Path, Bundle], tmp_path: Path) -> None:
    told = Told(labels={0: "a", 1: "b", 2: "c"}, normalise="none")

    def elsewhere(proto: Any) -> None:
        one = proto.graph.initializer[0]
        one.ClearField("raw_data")
        one.data_location = onnx.TensorProto.EXTERNAL
        entry = one.external_data.add()
        entry.key, entry.value = "location", "../../etc/passwd"

    def strange(proto: Any) -> None:
        proto.opset_import.add(domain="evil.ops", version=1)
        proto.graph.node[0].domain = "evil.ops"

    def several(proto: Any) -> None:
        proto.graph.output.append(proto.graph.output[0])

    for change, said in ((elsewhere, "other files"), (strange, "evil.ops"), (several, "several outputs")):
        with pytest.raises(BundleError, match=said):
            origin.bring(changed(classes[0], tmp_path / "bad.onnx", change), told)
    (tmp_path / "junk.onnx").write_bytes(b"\x08junk")
    with pytest.raises(BundleError, match="no ONNX file"):
        origin.bring(tmp_path / "junk.onnx", told)


def test_a_graph_of_one_row_is_refused(tmp_path: Path) -> None:
    path = exported(Classes(), (1, 24, 24), tmp_path / "one.onnx", free=False)
    with pytest.raises(BundleError, match="one image at a time"):
        origin.bring(path, Told(labels={0: "a", 1: "b", 2: "c"}, normalise="none"))
