"""What stands beside a member, what it is fed, and which runtime is chosen; without the libraries, which are faked."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.infer.test_predictor import made_of
from torch import Tensor, nn

from vesalius.core.bundle import Stage, State
from vesalius.core.errors import BundleError, MissingExtra, PlanError, UnknownName
from vesalius.core.image import Array
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan
from vesalius.infer import beside, measured, runtimes
from vesalius.infer.asked import inferred
from vesalius.infer.beside import Beside
from vesalius.infer.choosing import choose
from vesalius.infer.feeds import RAW, Layer, Signature, batch_from, feeds_of, parse_signature, tensors_of
from vesalius.infer.layers import Watch
from vesalius.infer.measured import Kept, Measured
from vesalius.infer.runtimes.contract import Runtime, Session
from vesalius.prepare.batch import Batch
from vesalius.tasks import contract as tasks
from vesalius.tasks.contract import Task


class Sum(nn.Module):
    """Says the sum of an image, times a weight, as one logit of two."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.inner = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack(
            [self.inner(x).sum(dim=(1, 2, 3, 4)) * self.weight, x.mean(dim=(1, 2, 3, 4))], dim=1
        )


class Ones(Session):
    """Says 1, and of the watched layer a mean of 3 and a sum of squares of 8 over 4 points."""

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        rows = len(feeds["image"])
        one = np.ones((rows, 2), np.float32)
        return {RAW: one, "m": 3 * one[:, :1], "s": 8 * one[:, :1]}


class Fake(Runtime):
    def __init__(self) -> None:
        self.opened: list[int] = []

    def open(self, graph: Any, threads: int, *, cache: Path | None = None) -> Session:
        self.opened.append(threads)
        return Ones()


def task() -> Task:
    return tasks.get("classify")


def batch(rows: int = 2) -> Batch:
    image = torch.arange(4.0 * rows).reshape(rows, 1, 1, 2, 2)
    return Batch(images={"image": image}, present={"image": torch.ones(rows, dtype=torch.bool)})


def signature(*layers: Layer) -> Signature:
    feeds = feeds_of(batch())
    return Signature(
        tuple(f for f in feeds if f.field == "images"), tuple(sorted(f.name for f in feeds)), layers
    )


def beside_of(model: nn.Module, runtime: Fake, *layers: Layer) -> Beside:
    found = Beside(model, signature(*layers), lambda: None, runtime)  # type: ignore[arg-type, return-value]
    beside.put(model, found)
    return found


def ask(model: nn.Module, of: Batch) -> Tensor:
    with torch.inference_mode():
        return inferred(task(), model, of, torch.Generator())


def test_a_batch_is_fed_by_name_and_is_the_same_again() -> None:
    given = Batch(
        images={"image": torch.rand(3, 1, 1, 4, 4), "second": torch.rand(3, 2, 1, 4, 4)},
        covariates=torch.rand(3, 2),
        courses={"ecg": torch.rand(3, 5, 1)},
        vectors={"text": torch.rand(3, 7)},
        present={"image": torch.tensor([True, False, True])},
    )
    feeds = feeds_of(given)
    assert {f.name for f in feeds} == {
        "image", "second", "covariates", "courses.ecg", "vectors.text", "present.image",
    }  # fmt: skip
    again = batch_from(feeds, tensors_of(given, feeds))
    assert all(torch.equal(again.images[k], v) for k, v in given.images.items())
    assert again.covariates is given.covariates and again.courses["ecg"] is given.courses["ecg"]
    one = Signature(feeds, tuple(sorted(f.name for f in feeds)), (Layer("net.0", "m", "s", 4, 1),))
    assert parse_signature(one.json()) == one


def test_what_is_no_array_or_has_the_name_of_another_is_refused() -> None:
    with pytest.raises(PlanError, match="differs in number"):
        feeds_of(replace(batch(), ragged={"clicks": (None, None)}))
    twice = replace(batch(), images={"covariates": torch.rand(2, 1, 1, 2, 2)}, covariates=torch.rand(2, 1))
    with pytest.raises(PlanError, match="one name.*covariates"):
        feeds_of(twice)


def test_a_graph_answers_for_a_member_and_with_as_many_threads_as_torch() -> None:
    model, runtime = Sum().eval(), Fake()
    compiled = beside_of(model, runtime)
    assert torch.equal(ask(model, batch(3)), torch.ones(3, 2)) and compiled.asked == 1
    ask(model, batch(1))
    assert runtime.opened == [torch.get_num_threads()], "opened once"


def test_another_number_of_threads_opens_the_graph_again_unless_its_file_has_gone() -> None:
    model, runtime = Sum().eval(), Fake()
    there = [True]

    def source() -> Any:
        if not there[0]:
            raise BundleError("gone")

    beside.put(model, Beside(model, signature(), source, runtime))
    now = torch.get_num_threads()
    try:
        for threads in (1, 2, 1):
            torch.set_num_threads(threads)
            ask(model, batch())
        assert runtime.opened == [1, 2]
        there[0] = False
        torch.set_num_threads(3)
        assert torch.equal(ask(model, batch()), torch.ones(2, 2)) and runtime.opened == [1, 2]
    finally:
        torch.set_num_threads(now)


def test_a_graph_is_not_asked_where_torch_would_say_something_else() -> None:
    model = Sum().eval()
    compiled = beside_of(model, Fake())
    own = model(batch().images["image"]).detach()
    wide = replace(batch(), images={"image": torch.zeros(2, 1, 1, 2, 3)})
    more = replace(batch(), covariates=torch.zeros(2, 1))
    assert ask(model, wide).shape == (2, 2) and ask(model, more).shape == (2, 2)
    handle = model.inner.register_forward_hook(lambda *_: None)
    assert torch.equal(ask(model, batch()), own)
    handle.remove()
    model.train()
    assert torch.equal(ask(model, batch()), own)
    model.eval()
    said = inferred(task(), model, batch(), torch.Generator())
    assert said.requires_grad, "gradients pass through the member"
    assert compiled.asked == 0
    copied = copy.deepcopy(model)
    assert beside.of(copied) is None and torch.equal(ask(copied, batch()), own)
    with torch.no_grad():
        model.weight.mul_(2.0)
    assert torch.equal(ask(model, batch())[:, 0], 2 * own[:, 0])
    assert compiled.asked == 0


def test_an_alarm_is_told_what_the_graph_says_of_its_layers() -> None:
    """A mean of 3 and a deviation of √(8 / 4); a graph without layers leaves the pass to the member, which is heard."""
    model = Sum().eval()
    for layers, asked in (((Layer("inner.0", "m", "s", 4, 0),), 1), ((), 0)):
        compiled = beside_of(model, Fake(), *layers)
        watch = Watch(apart=True)
        with torch.inference_mode(), watch.over(model, 2):
            raw = inferred(task(), model, batch(), torch.Generator())
        watch.told(raw)
        assert compiled.asked == asked and len(watch.features()) == 2
        if asked:
            assert np.allclose(watch.features()[0].layers["inner.0"], [3.0, np.log(np.sqrt(2.0) + 1e-3)])
        else:
            assert watch.features()[0].layers["inner.1"][0] == 1.5, "its own map, behind the grain"


# --- what is kept


class Named:
    hash = "0123"
    needs = ()


def kept(root: Path, threads: int = 2) -> Kept:
    return Kept(Named(), threads, root=root)  # type: ignore[arg-type]


def test_what_was_measured_is_found_again_only_whole_and_for_the_same(tmp_path: Path) -> None:
    found = Measured({"torch": 2.0, "onnx": 1.0}, {"openvino": "differs"})
    assert found.best == "onnx" and kept(tmp_path).read() is None
    assert kept(tmp_path).write(found, {"graph-0-0.onnx": b"a graph"})
    again = kept(tmp_path).read()
    assert again is not None and (again.seconds, again.refused) == (found.seconds, found.refused)
    assert kept(tmp_path, threads=3).read() is None
    place = kept(tmp_path).folder
    for name, text in (
        ("graph-0-0.onnx", "another"),
        ("measured.json", "{"),
        ("measured.json", '{"seconds": 3}'),
    ):
        before = (place / name).read_bytes()
        (place / name).write_text(text)
        assert kept(tmp_path).read() is None, text
        (place / name).write_bytes(before)
    assert kept(tmp_path).read() is not None
    (place / "graph-0-0.onnx").unlink()
    assert kept(tmp_path).read() is None


def test_only_so_many_bundles_are_kept_and_a_folder_that_cannot_be_written_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "_MOST", 3)
    for threads in range(5):
        assert kept(tmp_path / "a", threads=threads).write(Measured({"torch": 1.0}), {})
    assert len(list((tmp_path / "a").iterdir())) == 3
    (tmp_path / "file").write_text("")
    assert not kept(tmp_path / "file").write(Measured({"torch": 1.0}), {})


def test_the_cache_lies_where_the_platform_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert measured.cache_folder() == tmp_path / "vesalius"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the specification has ignored
    assert measured.cache_folder() == Path.home() / ".cache" / "vesalius"
    monkeypatch.setattr("sys.platform", "darwin")
    assert measured.cache_folder() == Path.home() / "Library" / "Caches" / "vesalius"


# --- the choice


def predictor() -> Any:
    plan = Plan(
        task=TaskPlan(name="classify", target="t"),
        data=DataPlan(
            dims=2,
            channels=1,
            sampling="whole",
            size=(1, 2, 2),
            normalise=(Normalisation(method="fixed", mean=0, sd=1),),
        ),
        net=NetPlan(name="resnet-18"),
        loss=LossPlan(name="cross_entropy"),
        train=TrainPlan(steps=1, batch=1),
    )
    state = State(
        {"target": "t", "kind": "exclusive", "labels": [{"value": k, "name": n} for k, n in enumerate("ab")]}
    )
    return made_of((Stage("classify", plan, state, ("w",)), (Sum(),)))


def test_a_runtime_that_is_not_there_is_said_and_auto_answers_with_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownName, match="unknown runtime 'onyx'.*onnx"):
        choose(predictor(), "onyx", root=tmp_path)
    monkeypatch.setattr("vesalius.infer.runtimes.contract.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"'onnxruntime' is not installed.*vesalius\[compress\]"):
        choose(predictor(), "onnx", root=tmp_path)
    found = choose(predictor(), "auto", cases=10**9, root=tmp_path)
    assert (found.runtime, found.told) == ("torch", False) and "installed" in found.why
    assert choose(predictor(), "torch").runtime == "torch" and runtimes.get("torch").there
    assert not list(tmp_path.iterdir())


def test_another_runtime_is_refused_on_a_graphics_card(tmp_path: Path) -> None:
    asked = predictor()
    asked.device = torch.device("cuda")
    assert choose(asked, root=tmp_path).runtime == "torch"
    with pytest.raises(PlanError, match="onnx computes on the processor alone.*--device cpu"):
        choose(asked, "onnx", root=tmp_path)
