"""Distillation as a way: one student a member, of half the operations, that never sees what its member never saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from _shrinking import MASKS, asked, operations, source_of, with_unlabelled

from vesalius.compress import learning, ways
from vesalius.compress.contract import Source
from vesalius.compress.ways.distil import NAMES
from vesalius.core.errors import PlanError
from vesalius.core.progress import Silent
from vesalius.infer.shapes import Form, form_of, with_form
from vesalius.learn.stepper import build
from vesalius.tasks.contract import Task


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield source_of(tmp_path_factory.mktemp("source"), {"net.scale": 0.5})
    torch.set_num_threads(threads)


def test_a_student_a_member_learns_from_it_alone(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = with_unlabelled(source, ["more-0", "more-1", "more-2"])
    seen: list[tuple[int, set[str], set[str], Any]] = []
    train = learning.train

    def trained(*args: Any, **how: Any) -> Any:
        seen.append((how["member"], {e.case_id for e in args[3]}, set(how["unlabelled"]), how["teacher"]))
        assert args[4] is None and how["start"] is None
        return train(*args, **how)

    monkeypatch.setattr(learning, "train", trained)
    made = ways.get("distil").apply(source, to=tmp_path, progress=Silent())
    assert [number for number, *_ in seen] == [0, 1]
    for number, cases, lacking, teacher in seen:
        assert lacking == {"more-0", "more-1", "more-2"} and cases - lacking == set(
            source.learned_ids[number]
        )
        assert teacher is source.model.members[number].module
    for old, new in zip(source.model.members, made.model.members, strict=True):
        assert operations(source, new.module) <= 0.5 * operations(source, old.module)
        again = build(source.task, made.model.plan, made.model.state, 0)
        again.load_state_dict(new.module.state_dict())
        assert torch.allclose(asked(source, again), asked(source, new.module), atol=1e-4)
        agree = asked(source, old.module).argmax(1) == asked(source, new.module).argmax(1)
        assert float(agree.float().mean()) > 0.7, "it says what its teacher says"
    plan = made.model.plan
    assert plan.net.name == "resnet-10" and plan.net.scale == made.figures["scale"] < 0.5
    assert "distil" in plan.reasons["net.scale"] and plan.train == source.model.plan.train
    assert any("3 cases without the target" in text for text in made.changed)


def test_another_family_is_as_large_as_may_be(source: Source, tmp_path: Path) -> None:
    way = ways.get("distil-mobilenetv2")
    assert way.suits(source) == ""
    quick = source.model.plan.model_copy(
        update={"train": source.model.plan.train.model_copy(update={"steps": 2})}
    )
    made = way.apply(replace(source, model=replace(source.model, plan=quick)), to=tmp_path, progress=Silent())
    assert made.model.plan.net.name == "mobilenetv2" and made.model.plan.net.options == {"stem": "small"}
    assert made.figures["share of operations left"] <= 0.5


def test_a_student_of_a_pruned_model_is_whole(source: Source, tmp_path: Path) -> None:
    pruned = with_form(source.model.state, Form(without=("net.layer1.0",)))
    plan = source.model.plan.model_copy(
        update={"train": source.model.plan.train.model_copy(update={"steps": 1})}
    )
    made = ways.get("distil").apply(
        replace(source, model=replace(source.model, plan=plan, state=pruned)), to=tmp_path, progress=Silent()
    )
    assert form_of(made.model.state) is None and form_of(pruned) is not None


def test_which_students_suit(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        ways.get("distil-resnet-10").suits(source)
        == "the model is a resnet-10 itself: distil makes it narrower"
    )
    assert "is no 2-D net for classify" in ways.get("distil-unet").suits(source)
    masks = source_of(
        tmp_path, {**MASKS, "net.name": "unet", "net.scale": 0.125, "train.steps": 1}, members=1
    )
    assert ways.get("distil").suits(masks) == "" == ways.get("distil-flexunet").suits(masks)
    assert "for segment" in ways.get("distil-resnet-18").suits(masks)
    with pytest.raises(PlanError, match="no unet takes at most 50%"):
        ways.get("distil").apply(masks, to=tmp_path / "a", progress=Silent())
    monkeypatch.setattr(type(source.task), "opinion", Task.opinion)
    assert all("cannot be compared" in ways.get(name).suits(source) for name in NAMES)
