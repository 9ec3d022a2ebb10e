"""A task owns its choices: which targets it is chosen for, what it plans, how it draws, calibrates and is scored."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from vesalius.core import registry
from vesalius.core.answers.value import Value
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.plan import Plan, override
from vesalius.learn.examples import batches
from vesalius.learn.validate import Validator
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.plan.rules import check, draft_plan
from vesalius.prepare.batch import Batch, Example
from vesalius.tasks import contract
from vesalius.tasks.contract import Sampler, Task

CPU = Machine(2, 8 << 30, None, 0, False)
FLAT = Fingerprint(
    cases=200, patients=200, voxels={}, images=("image",), channels=1, grey=True, flat=True, shape_median=(1, 28, 28),
    shape_max=(1, 28, 28), spacing_median=None, spacing_known=False, unit=None, bits=8, low=0, high=255, mean=80, sd=40,
    inside=False, classes={}, labels=(), sided=False,
)  # fmt: skip
PAGE = Path(__file__).resolve().parents[2] / "docs" / "add-a-task.md"


class Bare(Task):
    """A task with no choice of its own."""

    name: ClassVar[str] = "bare"
    answer = Value
    targets: ClassVar[tuple[str, ...]] = ("number",)
    roles: ClassVar[tuple[str, ...]] = ("encoder",)
    run: ClassVar[str] = "whole"
    primary: ClassVar[str] = "r2"

    def check(self, cohort: Any, target: Any) -> tuple[str, ...]:
        return ()

    def state(self, summary: Any, target: Any, plan: Any) -> State:
        return State({})

    def encode(self, case: Any, prepared: Any, reference: Any, state: Any) -> Example:
        return Example(case.id, {"image": prepared.array})

    def build(self, plan: Any, state: Any, nets: Any) -> torch.nn.Module:
        return torch.nn.Identity()

    def loss(self, model: Any, batch: Any, generator: Any) -> dict[str, torch.Tensor]:
        return {}

    def infer(self, model: Any, batch: Any, generator: Any) -> torch.Tensor:
        found: torch.Tensor = batch.images["image"]
        return found

    def decode(self, raw: Any, state: Any, calibration: Any, reference: Any, *, undo: Any = None) -> Value:
        return Value(x=0.0)

    def scalar(self, raw: torch.Tensor, ask: Ask) -> torch.Tensor:
        return raw[:, 0]


def forget() -> None:
    for cache in (registry.stems, registry.literals, registry.names):
        cache.cache_clear()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Install another package's task: its stem and its text."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(stem: str, text: str) -> None:
        (tmp_path / f"theirs_{stem}.py").write_text(text, encoding="utf-8")
        about = tmp_path / f"theirs_{stem}-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: theirs-{stem}\nVersion: 1\n")
        (about / "entry_points.txt").write_text(f"[vesalius.tasks]\n{stem} = theirs_{stem}\n")
        forget()

    yield put
    forget()
    for name in [m for m in sys.modules if m.startswith("theirs_")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("class", "classify"),
        ("multilabel", "classify"),
        ("ordinal", "grade"),
        ("mask", "segment"),
        ("number", "regress"),
        ("event", "prognose"),
        ("events", "prognose"),
    ],
)
def test_a_kind_of_target_has_its_task(kind: str, name: str) -> None:
    assert contract.default_for(kind).name == name


def test_two_tasks_for_one_kind_are_an_error_that_names_both(install: Callable[[str, str], None]) -> None:
    install("outline", '"""Another segmenter."""\nDEFAULT_FOR = ("mask",)\nraise RuntimeError("imported")\n')
    with pytest.raises(DataError, match="outline and segment|segment and outline") as caught:
        contract.default_for("mask")
    assert "--task outline" in str(caught.value) and "--task segment" in str(caught.value)
    assert contract.default_for("class").name == "classify", "a task that is not asked for is not imported"


def test_a_task_that_claims_nothing_changes_nothing(install: Callable[[str, str], None]) -> None:
    install(
        "aardvark",
        '"""Learns from masks, too, and stands first by its name."""\nraise RuntimeError("imported")\n',
    )
    assert contract.default_for("mask").name == "segment"
    with pytest.raises(DataError, match="--task NAME"):
        contract.default_for("text")


def test_a_task_without_choices_gets_sensible_ones() -> None:
    target = TargetInfo("age", "number", (), "a column of numbers")
    plan = check(draft_plan(Bare(), target, FLAT, CPU), Bare())
    assert (plan.loss.name, plan.data.sampling, plan.net.name) == ("mse", "whole", "resnet-10")
    assert plan.augment.mixup == 0 and plan.reasons["loss.name"] == "the target is a number"
    assert plan.task.target == "age" and plan.train.optimizer == "adamw"


@pytest.mark.parametrize(
    ("roles", "run", "net", "sampling"),
    [
        (("dense",), "dense", "unet", "patches"),
        (("encoder",), "tiles", "resnet-10", "patches"),
        (("dense", "encoder"), "whole", "resnet-10", "whole"),
        (("dense",), "whole", "unet", "whole"),
    ],
)
def test_they_follow_from_roles_and_run(roles: tuple[str, ...], run: str, net: str, sampling: str) -> None:
    kind = type("Other", (Bare,), {"roles": roles, "run": run, "targets": ("event",)})
    plan = check(draft_plan(kind(), None, FLAT, CPU), kind())
    assert (plan.net.name, plan.data.sampling, plan.loss.name) == (net, sampling, "own")
    assert plan.task.target is None


def test_no_net_of_a_role_is_said_in_words() -> None:
    kind = type("Other", (Bare,), {"roles": ("oracle",)})
    with pytest.raises(PlanError, match="role oracle"):
        draft_plan(kind(), None, FLAT, CPU)


class Stubborn(Bare):
    """Plans a loss that is not for it, and its own learning rate."""

    def defaults(self, prints: Fingerprint, machine: Machine, target: TargetInfo | None) -> Draft:
        draft = super().defaults(prints, machine, target)
        draft.set("loss.name", "dice", "a mistake")
        draft.set("train.lr", 0.5, "mine")
        return draft


def test_a_users_settings_mend_a_draft_before_it_is_checked() -> None:
    plan = draft_plan(Stubborn(), TargetInfo("age", "number"), FLAT, CPU)
    with pytest.raises(PlanError, match="mse"):
        check(plan, Stubborn())
    mended = check(override(plan, {"loss.name": "mse"}), Stubborn())
    assert mended.train.lr == 0.5 and mended.reasons["train.lr"] == "mine", "and keeps what the task set"


COHORT = Cohort(
    Path("here"),
    "none",
    (),
    {
        "death": TargetInfo("death", "event"),
        "relapse": TargetInfo("relapse", "event"),
        "grade": TargetInfo("grade", "class", (Label(0, "low"), Label(1, "high"))),
    },
)


def chosen(monkeypatch: pytest.MonkeyPatch, **about: Any) -> Callable[[str | None], TargetInfo | None]:
    task = type("Other", (Bare,), about)()
    monkeypatch.setattr(contract, "get", lambda name: task)
    return lambda target: contract.choose(COHORT, task="other", target=target)[1]


def test_a_task_that_needs_no_target_has_one_only_where_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    choose = chosen(monkeypatch, needs_target=False, targets=("class",))
    assert choose(None) is None
    info = choose("grade")
    assert info is not None and info.kind == "class"
    with pytest.raises(DataError, match="cannot learn from target 'death'"):
        choose("death")


def test_several_targets_are_learned_together_where_a_task_takes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choose = chosen(monkeypatch, targets=("event",), takes_several=True)
    info = choose("death, relapse")
    assert info is not None and info.name == "death" and [t.name for t in info.beside] == ["relapse"]
    assert info.full_name == "death,relapse" and choose(info.full_name) == info
    alone = chosen(monkeypatch, targets=("event",))
    with pytest.raises(DataError, match="cannot be learned together"):
        alone("death,relapse")


class Pairs(Bare):
    """Draws the first example and another one, and marks its batches."""

    def sampler(self, examples: Sequence[Example], plan: Plan) -> Sampler:
        return lambda step, g: [0, 1 + int(torch.randint(0, len(examples) - 1, (1,), generator=g))]

    def collate(self, examples: Sequence[Example]) -> Batch:
        batch = super().collate(examples)
        return Batch(images=batch.images, case_ids=tuple(f"drawn {i}" for i in batch.case_ids))


def test_a_task_draws_and_stacks_in_its_own_way() -> None:
    plan = draft_plan(Pairs(), TargetInfo("age", "number"), FLAT, CPU)
    examples = [Example(str(k), {"image": np.zeros((1, 1, 8, 8), np.float32)}) for k in range(5)]
    draw = batches(examples, plan, 0, task=Pairs())
    again = batches(examples, plan, 0, task=Pairs())
    drawn = [draw(step, torch.device("cpu")).case_ids for step in range(8)]
    assert drawn == [again(step, torch.device("cpu")).case_ids for step in range(8)]
    assert all(first == "drawn 0" and second != "drawn 0" for first, second in drawn)
    usual = batches(examples, plan, 0, task=Bare()), batches(examples, plan, 0)
    assert usual[0].order(3) == usual[1].order(3)


def test_the_usual_task_calibrates_nothing_and_has_no_figures() -> None:
    plan = draft_plan(Bare(), None, FLAT, CPU)
    assert Bare().calibrate([np.zeros((1, 2))], [1.0], state=State({}), plan=plan) == {}
    assert Bare().score(None, Example("a", {}), State({})) is None


def test_a_mask_is_scored_label_by_label_where_it_is_known() -> None:
    task = contract.get("segment")
    state = State({"labels": [{"value": 7, "name": "a"}, {"value": 9, "name": "b"}]})
    truth = np.array([[[1, 1, 2, -1]]], dtype=np.int16)[None]
    example = Example("x", {}, {"mask": truth}, on_grid=frozenset({"mask"}))
    assert task.score(np.array([[[1, 0, 2, 1]]]), example, state) == {"7": 2 / 3, "9": 1.0}
    assert task.score(np.zeros((1, 1, 4), int), Example("x", {}), state) is None


def test_figures_are_averaged_over_cases_and_then_over_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    nan = float("nan")
    told = iter([{"a": 0.5, "b": nan}, {"a": 1.0, "b": 0.25}, {"a": nan, "b": nan}])
    task = type("Other", (Bare,), {"score": lambda self, raw, example, state: next(told)})()
    watch = Validator(
        task, draft_plan(Bare(), None, FLAT, CPU), State({}), [Example(str(k), {}) for k in range(3)], []
    )
    assert watch.task.scored(watch._on_grid(iter([None] * 3))) == (0.75 + 0.25) / 2


def test_what_is_asked_of_a_mask_is_a_label_or_a_region() -> None:
    task = contract.get("segment")
    raw = torch.zeros(1, 2, 1, 2, 2)
    raw[0, 1] = torch.tensor([[[3.0, -1.0], [5.0, -2.0]]])
    assert task.scalar(raw, Ask(place=0)).tolist() == [4.0]
    region = torch.tensor([[[False, True], [True, False]]])
    assert task.scalar(raw, Ask(of="region", place=0, where=region)).tolist() == [2.0]
    assert contract.get("classify").scalar(torch.tensor([[1.0, 2.0]]), Ask(place=1)).tolist() == [2.0]


def test_the_tutorials_task_can_be_planned(install: Callable[[str, str], None]) -> None:
    text = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    install("age", text[1])
    task = contract.get("age")
    plan = check(draft_plan(task, TargetInfo("age", "number"), FLAT, CPU), task)
    assert plan.loss.name == "mse" and plan.net.name == "resnet-10"
    cohort = Cohort(Path("here"), "none", (Case("a", {}),), {"age": TargetInfo("age", "number")})
    assert contract.choose(cohort, task="age", target=None)[0] is task
