"""Runs: what a task says of joining, of fields and of what it needs is kept by every way in which a case is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vesalius.core import registry
from vesalius.core.answers import Answer
from vesalius.core.answers.value import Value
from vesalius.core.bundle import Bundle, Stage, State
from vesalius.core.case import Case, Prompt
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.plan import (
    DataPlan,
    InferPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    TaskPlan,
    TrainPlan,
)
from vesalius.core.seeds import seed_of
from vesalius.infer import runs
from vesalius.infer.predictor import Loaded, Predictor
from vesalius.infer.runs.contract import Members, Run
from vesalius.infer.session import Anew
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.geometry import Undo
from vesalius.tasks.contract import Task

CPU = torch.device("cpu")


class Probe(Task):
    """A task that says what it saw: its raw output is made by its model, its answer keeps what `decode` was given."""

    name, answer, targets, roles, run, primary = "probe", Value, ("number",), ("encoder",), "whole", "r2"
    seen: ClassVar[list[Any]] = []

    def check(self, cohort: Any, target: Any) -> tuple[str, ...]:
        return ()

    def state(self, summary: Any, target: Any, plan: Any) -> State:
        return State({})

    def encode(self, case: Case, prepared: Any, reference: Image, state: State) -> Example:
        covariates = None
        if case.covariates:
            covariates = np.array([float(v or 0) for v in case.covariates.values()], dtype=np.float32)
        return Example(case.id, prepared.images, covariates=covariates, frame_times_s=prepared.frame_times_s)

    def build(self, plan: Any, state: Any, nets: Any) -> nn.Module:
        return nn.Identity()

    def loss(self, model: Any, batch: Any, generator: Any) -> dict[str, Tensor]:
        return {}

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        out: Tensor = model(batch, generator)
        return out

    def decode(
        self,
        raw: Any,
        state: State,
        calibration: Mapping[str, Any],
        reference: Image,
        *,
        undo: Undo | None = None,
    ) -> Answer:
        self.seen.append((raw, undo, reference))
        return Value(x=0.0 if isinstance(raw, dict) else float(np.mean(raw)), unit=None)

    def scalar(self, raw: Tensor, what: int) -> Tensor:
        return raw[:, 0]


class Dense(Probe):
    run = "dense"

    def point(self, raw: Tensor) -> Tensor | Mapping[str, Tensor]:
        return {"first": raw[0], "larger": raw.max(dim=0).indices}


class Tiled(Probe):
    run = "tiles"

    def merge(self, tiles: Sequence[Any], shape: Any) -> Any:
        return np.stack([t.raw for t in tiles])


class Model(nn.Module):
    """A model that is a function of a batch."""

    def __init__(self, work: Any) -> None:
        super().__init__()
        self.work = work

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        out: Tensor = self.work(batch, generator)
        return out


def plan(dims: int = 3, *, whole: bool = True, mirror: tuple[Any, ...] = (), batch: int = 4) -> Plan:
    return Plan(
        task=TaskPlan(name="probe", target="t"),
        data=DataPlan(
            dims=dims,  # type: ignore[arg-type]
            channels=1,
            sampling="whole" if whole else "patches",
            size=(8 if dims == 3 else 1, 8, 8),
            normalise=(Normalisation(method="fixed", mean=0, sd=1),),
        ),
        net=NetPlan(name="unet"),
        loss=LossPlan(name="mse"),
        train=TrainPlan(steps=1, batch=1),
        infer=InferPlan(mirror=mirror, batch=batch),
    )


def predictor(task: Task, planned: Plan, *models: Any, state: State | None = None) -> Predictor:
    stage = Stage("probe", planned, state or State({}), tuple("w" * len(models)))
    found = Predictor.__new__(Predictor)
    found.bundle = Bundle(Path("nowhere"), (stage,), "", "the hash", "a test")
    found.device = CPU
    found.stages = (Loaded(stage, task, tuple(Model(m) for m in models)),)
    return found


def image(shape: tuple[int, ...] = (1, 12, 10, 9), **more: Any) -> Image:
    pixels = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return Image(pixels, affine=np.diag([1.0, 1.0, 1.0, 1.0]), **more)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    Probe.seen.clear()
    yield


@pytest.mark.parametrize("name", sorted(registry.names(runs.KIND)))
def test_every_run_says_how_training_samples_and_what_it_is(name: str) -> None:
    assert registry.literals(runs.KIND, name)["SAMPLING"] in ("whole", "patches")
    assert isinstance(runs.get(name), Run) and not vars(runs.get(name))


def test_a_task_joins_members_and_mirror_images_in_its_own_way() -> None:
    class Largest(Tiled):
        def join(self, raws: Iterable[Tensor]) -> Tensor:
            return torch.stack(list(raws)).amax(dim=0)

    class Median(Probe):
        def join(self, raws: Iterable[Tensor]) -> Tensor:
            return torch.stack(list(raws)).median(dim=0).values

    def corner(batch: Batch, generator: Any) -> Tensor:
        return batch.images["image"][:, :, 0, 0, 0]

    one = image((1, 1, 8, 8))
    seen = one.array[0, 0]
    predictor(Median(), plan(2, mirror=("x", "y")), corner)(Case("c", {"image": one}))
    corners = [seen[0, 0], seen[0, -1], seen[-1, 0], seen[-1, -1]]
    assert Probe.seen[0][0][0, 0] == np.sort(corners)[1], "torch's median is the lower one"

    ask = predictor(
        Largest(), plan(whole=False), lambda b, g: corner(b, g), lambda b, g: 10 + 0 * corner(b, g)
    )
    ask(Case("c", {"image": one}))
    assert np.all(Probe.seen[1][0] == 10), "the larger of two members"


def test_a_point_may_give_several_fields_each_of_its_own_type() -> None:
    def work(batch: Batch, generator: Any) -> Tensor:
        x = batch.images["image"]
        return torch.cat([x, -x], dim=1)

    one = image()
    ask = predictor(Dense(), plan(whole=False), work)
    ask(Case("c", {"image": one}))
    fields, undo, reference = Probe.seen[0]
    assert sorted(fields) == ["first", "larger"] and isinstance(undo, Undo) and undo.native == one.shape
    assert fields["first"].dtype == np.float32 and np.allclose(fields["first"], one.array[0], atol=1e-5)
    assert fields["larger"].dtype == np.uint8 and np.array_equal(fields["larger"], one.array[0] < 0)
    (called,) = runs.get("dense").raw(
        Members(Dense(), ask.stages[0].models, plan(whole=False), CPU), [Example("c", {"image": one.array})]
    )
    assert np.array_equal(called["larger"], one.array[0] < 0), "on the prepared grid, too"


@pytest.mark.parametrize("task", [Tiled(), Dense()])
def test_covariates_reach_each_tile(task: Task) -> None:
    told: list[Tensor] = []

    def work(batch: Batch, generator: Any) -> Tensor:
        assert batch.covariates is not None and len(batch.covariates) == len(batch.images["image"])
        told.append(batch.covariates)
        return torch.cat([batch.images["image"]] * 2, dim=1)

    predictor(task, plan(whole=False), work)(Case("c", {"image": image()}, covariates={"age": 61.0}))
    assert len(told) > 1 and bool((torch.cat(told) == 61).all())


def test_frames_reach_the_model_of_a_task_that_takes_time_and_no_other() -> None:
    class Timed(Probe):
        takes_time = True

    class TimedDense(Dense):
        takes_time = True

    shapes: list[torch.Size] = []

    def work(batch: Batch, generator: Any) -> Tensor:
        shapes.append(batch.images["image"].shape)
        assert batch.frame_times_s is not None and batch.frame_times_s.shape[1] == 3
        return batch.images["image"].flatten(1).mean(dim=1, keepdim=True)

    cine = image((3, 1, 1, 10, 9), times_s=(0.0, 0.1, 0.2))
    predictor(Timed(), plan(2), work)(Case("c", {"image": cine}))
    assert shapes[-1] == (1, 3, 1, 1, 8, 8)

    def field(batch: Batch, generator: Any) -> Tensor:
        shapes.append(batch.images["image"].shape)
        return batch.images["image"][:, -1].repeat(1, 2, 1, 1, 1)

    predictor(TimedDense(), plan(2, whole=False), field)(Case("c", {"image": cine}))
    assert shapes[-1][1:] == (3, 1, 1, 8, 8)
    assert np.allclose(Probe.seen[-1][0]["first"], cine.array[-1, 0], atol=1e-5), "of the last frame"
    with pytest.raises(DataError, match="time axis"):
        predictor(Probe(), plan(2), work)(Case("c", {"image": cine}))


def test_a_case_without_images_is_answered_in_its_tasks_geometry_by_a_seed_of_its_own() -> None:
    class Maker(Probe):
        def geometry(self, case: Case, state: State) -> Image | None:
            return Image(np.zeros((1, *state.values["shape"]), dtype=np.uint8), affine=np.eye(4))

    def work(batch: Batch, generator: torch.Generator) -> Tensor:
        assert not batch.images
        return torch.rand((len(batch.case_ids), 1), generator=generator)

    ask = predictor(Maker(), plan(), work, state=State({"shape": [4, 5, 6]}))
    bare = [Case(name, {}, reference=None) for name in "ab"]
    answers = [ask(case) for case in bare]
    assert Probe.seen[0][2].shape == (4, 5, 6) and Probe.seen[0][1].native == (4, 5, 6)
    first = torch.rand(1, generator=torch.Generator().manual_seed(seed_of("a")))
    assert answers[0].x == float(first) != answers[1].x  # type: ignore[attr-defined]
    assert [a.x for a in ask.together(bare)] == [a.x for a in answers]  # type: ignore[union-attr]
    with pytest.raises(DataError, match="case a has no image"):
        predictor(Probe(), plan(), work)(bare[0])


def test_a_covariate_that_is_needed_and_not_there_is_named() -> None:
    ask = predictor(
        Probe(), plan(2), lambda b, g: b.covariates, state=State({"covariates": {"age": {"mean": 60}}})
    )
    assert ask.needs == ("age",)
    case = Case("c", {"image": image((1, 1, 8, 8))}, covariates={"age": 61.0})
    assert ask(case).x == 61  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"case c: the bundle needs the covariate 'age'; found no covariates"):
        ask(replace(case, covariates={"age": None}))
    refused, answered = ask.together([replace(case, covariates={}), case])
    assert isinstance(refused, DataError) and answered.x == 61  # type: ignore[union-attr]


def test_a_session_answers_what_is_known_by_then() -> None:
    ask = predictor(Probe(), plan(2), lambda b, g: b.images["image"].flatten(1).mean(dim=1, keepdim=True))
    frames = [image((1, 1, 8, 8)), Image(np.full((1, 1, 8, 8), 3.0, np.float32))]
    session = ask.open(Case("cine", {}, reference=None))
    assert isinstance(session, Anew)
    for k, frame in enumerate(frames):
        answer = session.step(Case(f"frame-{k}", {"image": frame}))
        assert answer.case_id == f"frame-{k}" and answer.x == ask(Case("x", {"image": frame})).x  # type: ignore[attr-defined]
    clicks = [Prompt("click", ((0, k, k),)) for k in range(2)]
    for click in clicks:
        session.step(Case("clicked", {}, reference="image", prompts=(click,)))
    assert session.case.prompts == tuple(clicks) and session.case.images == {"image": frames[1]}
    assert session.step().x == 3  # type: ignore[attr-defined]


def test_a_run_may_keep_a_state_between_the_steps_of_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting:
        def __init__(self) -> None:
            self.steps = 0

        def step(self, more: Case | None = None) -> Answer:
            self.steps += 1
            return Value(x=float(self.steps), unit=None)

    monkeypatch.setattr(type(runs.get("whole")), "open", lambda self, ask, case: Counting())
    session = predictor(Probe(), plan(2), None).open(Case("c", {}, reference=None))
    assert [session.step().x for _ in range(3)] == [1, 2, 3]  # type: ignore[attr-defined]


@pytest.mark.parametrize("task", [Probe(), Dense(), Tiled()])
def test_an_answer_is_timed_in_every_run(task: Task) -> None:
    def work(batch: Batch, generator: Any) -> Tensor:
        return torch.cat([batch.images["image"]] * 2, dim=1)

    models = [Model(work)]
    examples = [Example(str(k), {"image": image().array[:, :8, :8, :8]}) for k in range(3)]
    assert runs.get(task.run).time(Members(task, models, plan(whole=False), CPU), examples) > 0
