"""Pruning: half of the operations go, the members stay apart, no fold is seen, and the plan builds what is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from _shrinking import MASKS, asked, operations, source_of
from safetensors.torch import save

from vesalius.compress import learning, ways
from vesalius.compress.contract import Member, Source, Variant
from vesalius.compress.pruning.blocks import blocks_of
from vesalius.compress.pruning.choosing import chosen
from vesalius.compress.pruning.groups import groups_of
from vesalius.compress.pruning.weights import share_of_zeros, zeroed
from vesalius.compress.ways import prune
from vesalius.core.errors import BudgetError, PlanError
from vesalius.core.progress import Silent
from vesalius.infer.shapes import form_of
from vesalius.infer.stored import written_as
from vesalius.learn.stepper import build
from vesalius.tasks.contract import Task


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield source_of(tmp_path_factory.mktemp("source"))
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def two_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two short rounds in place of four."""
    monkeypatch.setattr(prune, "SHARES", (0.1, 0.25))


def applied(source: Source, name: str, to: Path) -> Variant:
    way = ways.get(name)
    assert not way.suits(source)
    return way.apply(source, to=to, progress=Silent())


def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, set[str], Any]]:
    """What is trained on by whom: the member's number, the cases, and the teacher."""
    seen: list[tuple[int, set[str], Any]] = []
    train, batches = learning.train, learning.batches

    def trained(*args: Any, **how: Any) -> Any:
        seen.append((how["member"], {e.case_id for e in args[3]}, how["teacher"]))
        assert args[4] is None, "nothing is validated, so that nothing is chosen by cases of a fold"
        return train(*args, **how)

    def drawn(examples: Any, plan: Any, number: int, **how: Any) -> Any:
        seen.append((number, {e.case_id for e in examples}, None))
        return batches(examples, plan, number, **how)

    monkeypatch.setattr(learning, "train", trained)
    monkeypatch.setattr(learning, "batches", drawn)
    return seen


def rebuilt(source: Source, made: Variant) -> None:
    """Plan, state and weights alone make each member again, to the bit."""
    for one in made.model.members:
        again = build(source.task, made.model.plan, made.model.state, 0)
        again.load_state_dict(one.module.state_dict())
        assert torch.equal(asked(source, again), asked(source, one.module))


def test_half_of_the_operations_go_with_filters(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [{n: t.clone() for n, t in m.module.state_dict().items()} for m in source.model.members]
    seen = watched(monkeypatch)
    made = applied(source, "prune-filters", tmp_path)
    for old, new, kept in zip(source.model.members, made.model.members, before, strict=True):
        share = operations(source, new.module) / operations(source, old.module)
        assert 0.4 < share <= 0.5 and share == pytest.approx(
            made.figures["share of operations left"], abs=1e-3
        )
        assert all(torch.equal(t, kept[n]) for n, t in old.module.state_dict().items()), "the original stays"
    shapes = [{n: t.shape for n, t in m.module.state_dict().items()} for m in made.model.members]
    assert shapes[0] == shapes[1], "one plan and one form build all members"
    assert form_of(made.model.state) is not None and form_of(source.model.state) is None
    assert "50%" in made.changed[0] or "49%" in made.changed[0]
    rebuilt(source, made)
    assert {number for number, _, _ in seen} == {0, 1}
    for number, cases, teacher in seen:
        assert cases == set(source.learned_ids[number]), "no case of its own fold, and all others"
        assert teacher in (None, source.model.members[number].module), "the member itself teaches it"
    for one in made.model.members:
        own = [k for k, i in enumerate(source.examples) if i in source.learned_ids[one.number]]
        right = asked(source, one.module).argmax(1)[own] == torch.tensor([k % 2 for k in own])
        assert float(right.float().mean()) > 0.8


def test_each_member_loses_its_own_filters_and_the_least_first(source: Source) -> None:
    (one, _) = source.model.members
    found = groups_of(one.module, lambda m: asked(source, m))
    group = found.groups[0]
    up = {u.number: float(k) for g in found.groups for k, u in enumerate(g)}
    down = {u.number: float(len(g) - k) for g in found.groups for k, u in enumerate(g)}
    first, second = chosen(found, [up, down], 0.8 * found.operations)
    assert len(first) == len(second) > 0
    assert {u.number for u in first}.isdisjoint(u.number for u in second)
    mine = [u for u in group if u.number in {f.number for f in first}]
    assert mine == list(group[: len(mine)]), "the lowest scores go first"
    every, _ = chosen(found, [up, down], 0.0)
    for g in found.groups:
        left = len(g) - sum(u.number in {e.number for e in every} for u in g)
        assert left >= max(1, len(g) // 8), "something is left of every layer"


def test_blocks_are_taken_out(source: Source, tmp_path: Path) -> None:
    blocks = blocks_of(source.model.members[0].module, lambda m: asked(source, m))
    assert blocks == ["net.layer1.0"], "the others of a ResNet-10 change the channels"
    made = applied(source, "prune-layers", tmp_path)
    form = form_of(made.model.state)
    assert form is not None and form.without == ("net.layer1.0",)
    assert "net.layer1.0 were taken out" in made.changed[0]
    assert operations(source, made.model.members[0].module) < 0.8 * operations(
        source, source.model.members[0].module
    )
    assert not any(n.startswith("net.layer1.0") for n in made.model.members[0].module.state_dict())
    rebuilt(source, made)


def test_filters_after_blocks_make_one_form(source: Source, tmp_path: Path) -> None:
    shallow = applied(source, "prune-layers", tmp_path / "a")
    made = applied(source.after(shallow), "prune-filters", tmp_path / "b")
    form = form_of(made.model.state)
    assert form is not None and form.without == ("net.layer1.0",) and form.shapes
    rebuilt(source, made)


def test_four_of_five_weights_are_zero_and_not_written(source: Source, tmp_path: Path) -> None:
    made = applied(source, "prune-weights", tmp_path)
    for old, new in zip(source.model.members, made.model.members, strict=True):
        assert share_of_zeros(old.module) < 0.01
        assert share_of_zeros(new.module) == pytest.approx(0.8, abs=0.01)
        whole = len(save({n: t.contiguous() for n, t in old.module.state_dict().items()}))
        assert len(written_as(new.module.state_dict())) < 0.4 * whole
        assert operations(source, new.module) == operations(source, old.module)
    assert "nothing is faster" in made.changed[0]
    rebuilt(source, made)


def test_the_smallest_weights_go_by_the_scale_of_their_layer() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(10, 10), torch.nn.Linear(10, 10))
    with torch.no_grad():
        model[1].weight.copy_(model[0].weight * 1e-3)
    found = zeroed(model, 0.5)
    assert [float((m.weight == 0).float().mean()) for m in found] == [0.5, 0.5]  # type: ignore[union-attr]
    gone, kept = model[0].weight[found[0].weight == 0].abs(), model[0].weight[found[0].weight != 0].abs()  # type: ignore[index,union-attr]
    assert float(gone.max().detach()) < float(kept.min().detach())
    assert bool((found[0].bias != 0).all())  # type: ignore[index,union-attr]


def test_masks_keep_their_deep_supervision(tmp_path: Path) -> None:
    """Heads of coarser maps are asked in training alone: they lose the channels that these maps lost."""
    settings = {**MASKS, "loss.deep_supervision": True, "net.scale": 0.25, "train.steps": 8}
    source = source_of(tmp_path / "source", settings, members=1)
    assert len(source.model.members[0].module.deep) > 0  # type: ignore[arg-type]
    made = applied(source, "prune-filters", tmp_path / "pruned")
    (one,) = made.model.members
    assert [h.in_channels for h in one.module.deep] == list(one.module.net.channels[1:-1])  # type: ignore[union-attr]
    assert [h.in_channels for h in one.module.deep] < [  # type: ignore[union-attr]
        h.in_channels
        for h in source.model.members[0].module.deep  # type: ignore[union-attr]
    ]
    rebuilt(source, made)


def test_what_cannot_be_pruned_is_said(source: Source, tmp_path: Path) -> None:
    graph = replace(source.model, members=(Member(0, source.model.members[0].module, tmp_path / "a.onnx"),))
    assert "prune first" in ways.get("prune-filters").suits(replace(source, model=graph))
    plan = source.model.plan.model_copy(
        update={"train": source.model.plan.train.model_copy(update={"recipe": "prototypes"})}
    )
    other = replace(source, model=replace(source.model, plan=plan))
    assert "recipe prototypes" in ways.get("prune-layers").suits(other)
    over = replace(source, until=time.monotonic() - 1)
    with pytest.raises(BudgetError, match="time of this way is over"):
        ways.get("prune-filters").apply(over, to=tmp_path, progress=Silent())


def test_a_net_whose_filters_belong_to_all_is_refused_by_its_name(tmp_path: Path) -> None:
    settings = {**MASKS, "net.name": "hypercolumn", "net.options": {"encoder": "cnn", "encoder_scale": 2.0}}
    settings |= {"net.scale": 0.0625, "train.steps": 1}
    source = source_of(tmp_path / "source", settings, members=1)
    with pytest.raises(PlanError, match="'hypercolumn' cannot be removed") as caught:
        ways.get("prune-filters").apply(source, to=tmp_path, progress=Silent())
    assert "linalg_vector_norm" in str(caught.value)


def test_a_task_whose_answers_cannot_be_compared_is_trained_on_by_its_loss(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert learning.recipe_of(source)["train.recipe"] == "distil"
    monkeypatch.setattr(type(source.task), "opinion", Task.opinion)
    assert learning.recipe_of(source)["train.recipe"] == "supervised"
    assert learning.recipe_of(source, sparse=True)["train.recipe_options"] == {"weight": 0.0}
