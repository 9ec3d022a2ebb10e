"""Compression into graphs: what is sealed answers, explains and tests itself as any bundle, weights kept once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import vesalius as vs
from vesalius.compress import auto, gate, graphing, measure, opened, ways
from vesalius.compress.opened import Reading
from vesalius.compress.quantising.deviating import deviation, outputs
from vesalius.compress.quantising.integers import beside_raw, by_weights, in_matrices, quantised
from vesalius.compress.quantising.sensitive import mixed
from vesalius.compress.shown import arrays_of, batches
from vesalius.core.bundle import open_bundle
from vesalius.core.progress import Silent
from vesalius.infer import beside
from vesalius.infer.feeds import RAW, Feed, Signature
from vesalius.infer.graphs import Graph, graph_of
from vesalius.infer.predictor import Predictor
from vesalius.infer.twins import folded_of, twin_state

SMALL = {
    "net.scale": 0.125, "train.threads": 1, "train.batch": 4, "train.validations": 1, "train.members": 1,
}  # fmt: skip


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Pictures with classes, and a run on them whose alarm watches its layers."""
    root = tmp_path_factory.mktemp("small")
    data = vs.phantom(root / "data", cases=60, seed=3, size=(16, 48, 48), format="png") / "classes"
    vs.fit(
        data, root / "run", folds=2, settings={**SMALL, "train.steps": 30, "data.size": [1, 32, 32]}, seed=3
    )
    return data, root / "run"


@pytest.fixture(scope="session")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Volumes with masks, and a run on them."""
    root = tmp_path_factory.mktemp("volumes")
    data = vs.phantom(root / "data", cases=8, seed=4, size=(12, 32, 32))
    settings = {**SMALL, "train.steps": 6, "train.batch": 1, "data.size": [16, 32, 32]}
    vs.fit(data, root / "run", target="mask", folds=2, settings=settings, seed=4)
    return data, root / "run"


def source_of(run: Path) -> opened.Source:
    about = opened.opened(open_bundle(run), None, Reading(), progress=Silent())
    return opened.source_of(about, run / "nowhere", until=None, progress=Silent())


def plain_of(source: opened.Source) -> tuple[object, list[dict[str, np.ndarray]]]:
    """A member's graph, and what it is shown of the cases that it learned from."""
    member = source.model.members[0]
    seen = list(batches(source.task, source.model.plan, source.some(member.number, 6)))
    graph = graph_of(
        source.task, source.model.plan, source.model.state, member.module, like=seen[0], watch=True
    )
    return graph, arrays_of(graph, seen)


def test_a_classifier_of_integers_is_an_ordinary_bundle(
    pictures: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, run = pictures
    monkeypatch.setattr(gate, "FEWEST", 2)
    found = vs.compress(run, out=tmp_path / "small", ways="quantise-static", max_drop=0.99)
    before, after = open_bundle(run), open_bundle(tmp_path / "small")
    stage = after.stages[0]
    assert stage.runtime in ("onnx", "openvino") and stage.members == ("weights-0-0.onnx",)
    sizes = [sum((b.path / n).stat().st_size for n in b.stages[0].members) for b in (before, after)]
    assert sizes[1] < sizes[0] / 2.5  # the net is tiny, so that its names and scales count
    assert ("novelty" in stage.extras) == ("novelty" in before.stages[0].extras)
    case = vs.read(data).cases[0]
    one, other = (vs.predict(b, [case])[0] for b in (before, after))
    assert other.bundle == after.hash and np.abs(one.p - other.p).max() < 0.2
    assert vs.selftest(after).outcome in ("passed", "none")
    assert vs.evaluate(after.path.parent, data, split="all", out=tmp_path / "scored").n_cases > 0
    maps = vs.explain(after, case, method="gradcam", samples=5)
    assert np.isfinite(maps.explained[0].map.image.array).all() and maps.explained[0].map.image.array.any()
    assert found.found.tried[0].result["runtime"] == stage.runtime


def test_masks_of_integers_are_those_of_single_precision_but_for_few_voxels(
    volumes: tuple[Path, Path],
) -> None:
    source = source_of(volumes[1])
    plain, arrays = plain_of(source)
    small = quantised(plain, arrays)
    said = [outputs(graph, [RAW], arrays[:3])[RAW] for graph in (plain, small)]
    calls = [np.concatenate([one.argmax(axis=1).ravel() for one in each]) for each in said]
    assert (calls[0] == calls[1]).mean() > 0.97
    assert len(small.to_bytes()) < len(plain.to_bytes()) / 1.7  # so small a net is half names and scales


def test_the_torch_twin_has_the_weights_that_the_graph_computes_with(pictures: tuple[Path, Path]) -> None:
    source = source_of(pictures[1])
    member = source.model.members[0]
    plain, arrays = plain_of(source)
    small = quantised(plain, arrays)
    folded = folded_of([plain], [member.module])
    twin = graphing.copy.deepcopy(member.module)
    twin.load_state_dict(twin_state(small, folded, 0, twin))
    seen = list(batches(source.task, source.model.plan, source.some(member.number, 6)))
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        exact = torch.cat([source.task.infer(member.module, b, generator) for b in seen])
        rounded = torch.cat([source.task.infer(twin.eval(), b, generator) for b in seen])
    graph = torch.from_numpy(np.concatenate(outputs(small, [RAW], arrays)[RAW]))
    spread = exact.std()
    assert 0 < (rounded - exact).abs().max() < 0.3 * spread  # its weights are rounded, and nearly the same
    assert (rounded - graph).abs().mean() < 0.2 * spread


def test_what_an_alarm_sums_up_is_never_rounded(pictures: tuple[Path, Path]) -> None:
    plain, arrays = plain_of(source_of(pictures[1]))
    names = beside_raw(plain)
    assert names and len(names) < len(plain.proto.graph.node)
    small = quantised(plain, arrays)
    made = {node.output[0]: node.op_type for node in small.proto.graph.node}
    rounded = [
        node.name
        for node in small.proto.graph.node
        if node.name in names
        and node.op_type.startswith("Reduce")
        and made.get(node.input[0]) == "QuantizeLinear"
    ]
    assert not rounded and set(small.signature.outputs) == set(plain.signature.outputs)
    first, other = (outputs(g, list(plain.signature.outputs[1:3]), arrays[:3]) for g in (plain, small))
    assert deviation(first, other) < 0.2


def test_sensitive_layers_stay_in_single_precision(pictures: tuple[Path, Path]) -> None:
    plain, arrays = plain_of(source_of(pictures[1]))
    exact = outputs(plain, [RAW], arrays)
    whole = deviation(exact, outputs(quantised(plain, arrays), [RAW], arrays))
    found, kept, left = mixed(plain, arrays)
    assert kept and left < whole
    assert deviation(exact, outputs(found, [RAW], arrays)) == pytest.approx(left, rel=0.5)
    layers = {n.name: n for n in found.proto.graph.node if n.name in kept}
    made = {node.output[0]: node.op_type for node in found.proto.graph.node}
    assert layers and all(made.get(n.input[1]) != "DequantizeLinear" for n in layers.values())


def test_matrices_alone_are_integers_where_nothing_is_shown(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 3)).eval()
    x = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    torch.onnx.export(net, (x[:2],), tmp_path / "net.onnx", dynamo=True, input_names=["x"], output_names=[RAW],
                      dynamic_shapes=({0: torch.export.Dim("rows", min=1, max=64)},), verbose=False)  # fmt: skip
    import onnx

    signature = Signature((Feed("x", "vectors", "x", (64,), "float32"),), ("x",), ())
    plain = Graph(onnx.load(tmp_path / "net.onnx"), signature)
    small = by_weights(plain)
    assert in_matrices(plain) == 1 and len(small.to_bytes()) < len(plain.to_bytes()) / 2
    one, other = (outputs(g, [RAW], [{"x": x.numpy()}])[RAW][0] for g in (plain, small))
    assert np.allclose(one, net(x).detach().numpy(), atol=1e-5) and 0 < np.abs(one - other).max() < 0.05


def test_ways_that_change_nothing_or_train_are_ordered_by_cost() -> None:
    order = ways.in_order()
    places = [order.index(n) for n in ("quantise-static", "runtime", "quantise-mixed", "quantise-aware")]
    assert places == sorted(places) and auto.names_of("auto") == ()


def test_a_graph_is_measured_beside_torch(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    found = vs.compress(pictures[1], out=tmp_path / "same", ways="runtime", max_drop=0.99, target=1)
    one = found.found.named("runtime")
    assert (
        one.drop is not None
        and one.drop.upper == 0
        and one.drop.how.startswith("the answers to every case agree")
    )
    assert one.cost is not None and one.cost.macs == found.original.macs
    models = Predictor(found.bundle).stages[0].models
    assert all(beside.of(m) is not None for m in models) and measure.ROUNDS >= 3
