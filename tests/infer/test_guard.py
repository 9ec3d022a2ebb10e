"""One guard for every way in which a bundle is asked: a case alone, several in one pass, and in two stages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vesalius.core.bundle import Bundle, Stage, State
from vesalius.core.case import Case
from vesalius.core.errors import MismatchError
from vesalius.core.image import Image
from vesalius.core.learned import Learned, Seen, statistics, summary
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
from vesalius.infer.guard import in_words
from vesalius.infer.predictor import Loaded, Predictor
from vesalius.tasks import contract as tasks


class Mean(nn.Module):
    """Two logits `(B, 2)` by the mean; for a dense task two of each point."""

    def __init__(self, dense: bool) -> None:
        super().__init__()
        self.dense = dense

    def forward(self, x: Tensor) -> Tensor:
        if self.dense:
            return torch.cat([-x[:, :1], x[:, :1]], dim=1)
        here = x.mean(dim=(1, 2, 3, 4))
        return torch.stack([here, -here], dim=1)


def predictor(task: str, learned: Learned | None, *, stages: int = 1) -> Predictor:
    dense = task == "segment"
    plan = Plan(
        task=TaskPlan(name=task, target="truth"),
        data=DataPlan(
            dims=3 if dense else 2,
            channels=1,
            sampling="patches" if dense else "whole",
            size=(8, 8, 8) if dense else (1, 16, 16),
            normalise=(Normalisation(method="fixed", mean=0, sd=1),),
        ),
        net=NetPlan(name="unet"),
        loss=LossPlan(name="dice-ce"),
        train=TrainPlan(steps=1, batch=1),
        infer=InferPlan(batch=4),
    )
    rows = [
        {"value": k, "name": f"label-{k}", "code": None, "colour": None} for k in ((1,) if dense else (0, 1))
    ]
    state = State({"target": "truth", "kind": "exclusive", "labels": rows})
    first = Stage(task, plan, state, ("w",))
    second = replace(first, name="fine", takes={"stage": 0, "as": "crop", "margin_mm": 0.0})
    chosen = (first, second)[:stages]
    found = Predictor.__new__(Predictor)
    found.bundle = Bundle(Path("nowhere"), chosen, "", "the hash", "a test", learned)
    found.device = torch.device("cpu")
    found.stages = tuple(Loaded(s, tasks.get(task), (Mean(dense).eval(),)) for s in chosen)
    return found


def learned(modality: str | None, size: tuple[int, int, int] = (1, 16, 16)) -> Learned:
    seen = Seen(size, None, 0.0, 255.0, modality, None)
    return summary(statistics([seen, seen]), absolute=True)


def picture(modality: str | None, *, side: int = 16) -> Image:
    array = np.random.default_rng(0).integers(0, 256, (1, 1, side, side), dtype=np.uint8)
    return Image(array, modality=modality)


def test_each_way_of_asking_passes_the_same_guard() -> None:
    asked = predictor("classify", learned("DX"))
    cases = [Case(f"c{k}", {"image": picture(m)}) for k, m in enumerate(("CR", "US", None, "OT"))]
    found = asked.together(cases)
    assert isinstance(found[1], MismatchError) and "modality US, learned from DX" in str(found[1])
    assert [getattr(a, "outside", "refused") for a in found] == [(), "refused", (), ()]
    with pytest.raises(
        MismatchError, match="case c1: the bundle 'nowhere' learned from another kind of image"
    ):
        asked(cases[1])
    accepted = ("accepted: modality US, learned from DX",)
    assert asked.accepting(cases[1]).outside == accepted
    assert asked.accepting.together(cases[:2])[1].outside == accepted  # type: ignore[union-attr]
    asked.accept_mismatch = True
    assert asked(cases[1]).outside == accepted
    large = Case("large", {"image": picture("DX", side=40)})
    said = ("size 40×40, learned from 16×16",)
    assert asked(large).outside == asked.together([large, large])[1].outside == said  # type: ignore[union-attr]


def test_two_stages_are_guarded_once_by_the_whole_image() -> None:
    asked = predictor("segment", learned("MR", (8, 8, 8)), stages=2)
    values = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 8), dtype=np.int16)
    image = Image(values, affine=np.eye(4), modality="CT", unit="HU")
    with pytest.raises(MismatchError, match="modality CT, learned from MR"):
        asked(Case("c", {"image": image}))
    answer = asked(Case("c", {"image": replace(image, modality="MR", unit=None)}))
    assert answer.outside == () and answer.parts["segment"].outside is None


def test_other_channels_are_refused_in_a_pass_of_several_too() -> None:
    asked = predictor("classify", None)
    three = Image(np.zeros((3, 1, 16, 16), np.uint8))
    found = asked.together([Case("a", {"image": three}), Case("b", {"image": picture(None)})])
    assert isinstance(found[0], MismatchError) and "found 3 channels, learned from 1 channel" in str(found[0])
    assert found[1].outside is None  # type: ignore[union-attr]


def test_remarks_in_words() -> None:
    assert [in_words(x) for x in (None, (), ("a", "b"))] == ["unknown", "", "a; b"]
