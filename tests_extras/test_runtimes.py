"""Runtimes: graphs that say what torch says, with their alarms, and the choice among them, on bundles of two fits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vesalius as vs
from vesalius.core.bundle import Bundle, save_bundle
from vesalius.core.case import Case
from vesalius.core.errors import BundleError, MissingExtra, OutputError, PlanError
from vesalius.infer import beside, choosing, runtimes
from vesalius.infer.choosing import choose
from vesalius.infer.compiling import pieces_of
from vesalius.infer.graphs import graph_of, open_graph
from vesalius.infer.measured import Kept
from vesalius.infer.predictor import Predictor
from vesalius.infer.selftest.recording import recorded
from vesalius.infer.twins import FOLDED, folded_of
from vesalius.run.measuring import static_cost
from vesalius.verbs.phantom import phantom

pytest.importorskip("openvino")
pytest.importorskip("onnxruntime")
SMALL: dict[str, Any] = {
    "train.steps": 6, "train.batch": 4, "train.members": 1, "train.folds": 2, "train.validations": 1,
    "train.precision": "fp32", "train.threads": 1, "net.scale": 0.125, "net.init": None, "train.phases": [],
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes to the user's own cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("pictures")
    made = phantom(root / "made", cases=60, seed=3, size=(8, 32, 32), format="png")
    settings = {**SMALL, "data.size": [1, 32, 32], "infer.novelty": "knn"}
    return made, vs.fit(made, root / "run", target="class", settings=settings, seed=3)


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("volumes")
    made = phantom(root / "made", cases=8, seed=4, size=(32, 32, 32))
    settings = {**SMALL, "data.size": [16, 32, 32], "infer.novelty": "none"}
    return made, vs.fit(made, root / "run", target="mask", settings=settings, seed=4)


def cases_of(data: Path, n: int) -> list[Case]:
    return [replace(case, targets={}) for case in vs.read(data).cases[:n]]


def as_graphs(bundle: Bundle, path: Path) -> Bundle:
    """The same bundle whose last stage's members are graphs, as compression seals it."""
    predictor = Predictor(bundle, device="cpu")
    pieces = pieces_of(predictor)
    path.mkdir()
    graphs = [piece.graph() for piece in pieces]
    names = tuple(f"weights-0-{k}.onnx" for k in range(len(graphs)))
    for name, graph in zip(names, graphs, strict=True):
        graph.save(path / name)
    (stage,) = bundle.stages
    extras = {**stage.extras, FOLDED: folded_of(graphs, [piece.model for piece in pieces])}
    if "novelty" in extras:
        record = extras["novelty"]
        extras["novelty"] = replace(record, values={**record.values, "member": names[0]})
    changed = replace(stage, members=names, runtime="onnx", extras=extras)
    return save_bundle(
        path, (changed,), data_hash=bundle.data_hash, made_by=bundle.made_by, learned=bundle.learned
    )


@pytest.fixture(scope="module")
def graphs(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return as_graphs(pictures[1].bundle, tmp_path_factory.mktemp("sealed") / "graphs")


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_answers_alarm_and_drift_are_those_of_torch(runtime: str, pictures: Any, tmp_path: Path) -> None:
    data, run = pictures
    heard: dict[str, list[Any]] = {"torch": [], runtime: []}
    answers: dict[str, list[Any]] = {}
    for name in heard:
        predictor = Predictor(run.bundle, device="cpu")
        assert predictor.alarm is not None
        choose(predictor, name, root=tmp_path / "kept")
        listening = predictor.listening(lambda case, bins, to=heard[name]: to.append((case.id, bins)))
        answers[name] = listening.together(cases_of(data, 5)) + [listening(cases_of(data, 1)[0])]
        compiled = [beside.of(m) for m in predictor.stages[-1].models]
        assert all(c is None if name == "torch" else c.asked > 1 for c in compiled)  # type: ignore[union-attr]
    for one, other in zip(answers["torch"], answers[runtime], strict=True):
        assert np.abs(one.p - other.p).max() < 1e-4 and one.outside == other.outside
    assert heard["torch"] == heard[runtime] and len(heard[runtime]) == 6


def test_tiles_mirror_images_and_doubt_are_those_of_torch(volumes: Any, tmp_path: Path) -> None:
    data, run = volumes
    (case,) = cases_of(data, 1)
    said = {}
    for name in ("torch", "openvino"):
        predictor = Predictor(run.bundle, device="cpu")
        choose(predictor, name, root=tmp_path / "kept")
        (way, *_) = [w for w in predictor.ways_of_doubting if w == "mirror"] or ["none"]
        predictor = predictor.doubting(way) if way != "none" else predictor
        said[name] = predictor(case)
    one, other = said["torch"].image.array, said["openvino"].image.array
    assert (one != other).mean() < 0.002
    if said["torch"].doubt is not None:
        a, b = (said[n].doubt.figures for n in ("torch", "openvino"))
        assert all(abs(a[k] - b[k]) < 1e-3 for k in a)


def test_a_bundle_of_graphs_answers_and_its_torch_twin_explains(pictures: Any, graphs: Bundle) -> None:
    data, run = pictures
    own, compiled = Predictor(run.bundle, device="cpu"), Predictor(graphs, device="cpu")
    twin = Predictor(graphs, device="cpu", runtime="torch")
    for case in cases_of(data, 3):
        p = own(case).p
        assert np.abs(compiled(case).p - p).max() < 1e-4 and np.abs(twin(case).p - p).max() < 1e-4
        assert compiled(case).outside == own(case).outside
    assert beside.of(compiled.stages[0].models[0]) is not None and beside.of(twin.stages[0].models[0]) is None
    seen = vs.explain(graphs, cases_of(data, 1)[0], method="gradcam").explained[0].map.image.array
    expected = vs.explain(run.bundle, cases_of(data, 1)[0], method="gradcam").explained[0].map.image.array
    assert np.abs(seen - expected).max() <= 1e-3 * np.abs(expected).max()
    assert static_cost(graphs).parameters < static_cost(run.bundle).parameters, (
        "norms are in the convolutions"
    )
    tested = vs.selftest(recorded(graphs, device="cpu"))
    assert tested.passed and tested.arithmetic == "graph"
    size = (graphs.path / "weights-0-0.onnx").stat().st_size
    assert size < 1.3 * (run.bundle.path / "weights-0-0.safetensors").stat().st_size


def test_a_graph_never_answers_for_a_member_that_was_changed_or_is_listened_to(pictures: Any) -> None:
    data, run = pictures
    predictor = Predictor(run.bundle, device="cpu")
    piece = pieces_of(predictor)[0]
    graph = piece.graph()
    compiled = beside.Beside(piece.model, graph.signature, lambda: graph, runtimes.get("onnx"))
    beside.put(piece.model, compiled)
    with torch.inference_mode():
        assert compiled.raw(piece.batch) is not None
        handle = piece.model.register_forward_hook(lambda *_: None)
        assert compiled.raw(piece.batch) is None
        handle.remove()
        piece.model.train()
        assert compiled.raw(piece.batch) is None
        piece.model.eval()
        smaller = replace(piece.batch, images={k: v[..., 1:] for k, v in piece.batch.images.items()})
        assert compiled.raw(smaller) is None
        assert compiled.raw(replace(piece.batch, covariates=torch.zeros(piece.batch.rows, 1))) is None
    with torch.enable_grad():
        assert compiled.raw(piece.batch) is None
    with torch.no_grad():
        next(piece.model.parameters()).add_(1.0)
        assert compiled.raw(piece.batch) is None


def test_what_was_measured_is_kept_and_what_is_damaged_is_made_again(pictures: Any, tmp_path: Path) -> None:
    data, run = pictures
    predictor = Predictor(run.bundle, device="cpu")
    first = choose(predictor, "onnx", root=tmp_path / "kept")
    assert first.runtime == "onnx" and "here" in first.why
    kept = Kept(run.bundle, predictor.threads.most, root=tmp_path / "kept")  # type: ignore[union-attr]
    found = kept.read()
    assert found is not None and {"torch", "onnx", "openvino"} <= set(found.seconds)
    assert Kept(run.bundle, 64, root=tmp_path / "kept").read() is None, "another number of threads"
    graph = kept.folder / next(iter(found.graphs))
    graph.write_bytes(graph.read_bytes()[:-1])
    assert kept.read() is None
    choose(Predictor(run.bundle, device="cpu"), "onnx", root=tmp_path / "kept")
    assert kept.read() is not None


def test_auto_measures_only_where_that_pays(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, run = pictures
    predictor = Predictor(run.bundle, device="cpu")
    assert choose(predictor, cases=3, root=tmp_path).runtime == "torch" and not list(tmp_path.glob("*"))
    assert choose(predictor, cases=None, root=tmp_path).runtime == "torch"
    monkeypatch.setattr(choosing, "MEASURED_S", 0.0)
    found = choose(predictor, cases=10**6, root=tmp_path)
    kept = Kept(run.bundle, predictor.threads.most, root=tmp_path).read()  # type: ignore[union-attr]
    assert kept is not None and found.runtime == kept.best


def test_a_graph_that_says_something_else_is_refused(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, run = pictures
    from vesalius.infer.runtimes import onnx as module

    def wrong(self: Any, feeds: Any) -> Any:
        found = self.session.run(None, dict(feeds))
        return {n: np.asarray(a) + 1e-3 for n, a in zip(self.names, found, strict=True)}

    monkeypatch.setattr(module._Opened, "__call__", wrong)
    predictor = Predictor(run.bundle, device="cpu")
    with pytest.raises(PlanError, match="onnx does not answer as torch does.*a difference of 0.001"):
        choose(predictor, "onnx", root=tmp_path)
    assert beside.of(predictor.stages[-1].models[0]) is None


def test_predict_writes_down_what_answered_and_resumes_with_it(pictures: Any, tmp_path: Path) -> None:
    data, run = pictures
    done = vs.predict(run.bundle, data, tmp_path / "out", runtime="openvino")
    assert done.runtime == "openvino"
    assert json.loads((tmp_path / "out" / ".predicted_by").read_text())["runtime"] == "openvino"
    plain = vs.predict(run.bundle, data, tmp_path / "plain", runtime="torch")
    one, other = done.to_polars(), plain.to_polars()
    numbers = [c for c in one.columns if c.startswith(("p(", "p_"))]
    assert one.columns == other.columns and one["case"].to_list() == other["case"].to_list()
    for column in numbers:
        assert np.allclose(one[column].to_numpy(), other[column].to_numpy(), atol=1e-4)


def test_a_folder_that_is_gone_on_with_keeps_its_runtime(pictures: Any, tmp_path: Path) -> None:
    from vesalius.core.errors import Interrupted
    from vesalius.core.progress import Silent

    data, run = pictures

    class Stop(Silent):
        def advance(self, name: str, done: int = 1, text: str = "") -> None:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        vs.predict(run.bundle, data, tmp_path / "out", runtime="onnx", progress=Stop())
    with pytest.raises(OutputError, match="begun with runtime onnx"):
        vs.predict(run.bundle, data, tmp_path / "out", runtime="openvino", resume=True)
    assert vs.predict(run.bundle, data, tmp_path / "out", resume=True).runtime == "onnx"


def test_a_file_that_is_no_graph_and_members_that_are_none_are_refused(pictures: Any, tmp_path: Path) -> None:
    _, run = pictures
    (tmp_path / "a.onnx").write_bytes(b"no graph at all")
    with pytest.raises(BundleError, match="no graph of a member"):
        open_graph(tmp_path / "a.onnx")
    (stage,) = run.bundle.stages
    with pytest.raises(BundleError, match="members that are no graphs"):
        Predictor(replace(run.bundle, stages=(replace(stage, runtime="onnx"),)), device="cpu")


def test_without_the_library_a_bundle_of_graphs_names_what_to_install(
    graphs: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vesalius.infer.runtimes.contract.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="vesalius\\[compress\\]"):
        Predictor(graphs, device="cpu")
    assert Predictor(graphs, device="cpu", runtime="torch").stages


def test_a_model_that_cannot_be_followed_is_refused_with_the_reason(pictures: Any) -> None:
    _, run = pictures
    loaded = Predictor(run.bundle, device="cpu").stages[-1]

    class Odd(torch.nn.Module):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Any) -> Any:
            found = self.inner(x)
            return found if bool((found > 0).any()) else -found

    with pytest.raises(PlanError, match="cannot be followed as a graph"):
        graph_of(loaded.task, loaded.stage.plan, loaded.stage.state, Odd(loaded.models[0]))


def test_a_service_tests_itself_and_answers_several_at_once(pictures: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from vesalius.serve.models import open_models

    data, run = pictures
    model = open_models({"ours": run.path}, devices=["cpu"], runtime="openvino")["ours"]
    assert model.selftest.passed, model.selftest.why
    cases = cases_of(data, 8)
    own = Predictor(run.bundle, device="cpu")
    expected = [own(case) for case in cases]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(model.predictor(), cases))
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one.p - other.p).max() < 1e-4 and one.outside == other.outside
    compiled = beside.of(model.predictors[0].stages[-1].models[0])
    assert compiled is not None and compiled.asked >= len(cases)
