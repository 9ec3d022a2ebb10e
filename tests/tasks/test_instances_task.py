"""The task of instances: targets that move with the image, tiles that cut nothing, and calibration by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vesalius.core.bundle import State
from vesalius.core.case import Case, InstanceMask
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.core.plan import (
    AugmentPlan,
    DataPlan,
    InferPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    TaskPlan,
    TrainPlan,
)
from vesalius.infer import runs
from vesalius.infer.runs.contract import Members
from vesalius.prepare import augment
from vesalius.prepare.case import load_reference
from vesalius.tasks._splitting import depths
from vesalius.tasks.instances import TASK, perfect

STATE = State(
    {
        "target": "cells",
        "labels": [
            {"value": k, "name": n, "code": None, "colour": None} for k, n in enumerate(("red", "white"), 1)
        ],
    }
)
LABELS = (Label(1, "red"), Label(2, "white"))


def lattice(shape: tuple[int, int, int], step: int) -> np.ndarray:
    """Ids of balls that touch one another, in rows all over the grid; in a plane disks."""
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"))
    ids = np.zeros(shape, np.int32)
    centres = np.stack(
        np.meshgrid(
            *[np.arange(step // 2, max(n, step // 2 + 1), step) if n > 1 else [0] for n in shape],
            indexing="ij",
        )
    ).reshape(3, -1)
    for k, centre in enumerate(centres.T, start=1):
        ids[((grid - centre.reshape(3, 1, 1, 1)) ** 2).sum(axis=0) <= (step / 2 + 0.4) ** 2] = k
    return ids


def plan(size: tuple[int, int, int], *, mirror: tuple[str, ...] = ()) -> Plan:
    dims = 2 if size[0] == 1 else 3
    return Plan(
        task=TaskPlan(name="instances", target="cells"),
        data=DataPlan(
            dims=dims, channels=2, size=size, sampling="patches", canonical=False, spacing_mm=None, images=("image",),
            normalise=(Normalisation(method="zscore"),) * 2,
        ),
        net=NetPlan(name="unet"), loss=LossPlan(name="dice-ce"), train=TrainPlan(steps=1, batch=1),
        infer=InferPlan(mirror=mirror, batch=4),
    )  # fmt: skip


class Knows(nn.Module):
    """Returns what a perfect net would: its first channel is the label, its second the depth."""

    def forward(self, x: Tensor) -> Tensor:
        label, depth = x[:, 0], x[:, 1].clamp(1e-4, 1 - 1e-4)
        logits = torch.stack([(label == k).float() * 20 for k in range(3)], dim=1)
        return torch.cat([logits, torch.logit(depth)[:, None]], dim=1)


@pytest.mark.parametrize(
    ("shape", "size", "step"), [((1, 90, 120), (1, 32, 32), 15), ((40, 48, 60), (16, 16, 16), 12)]
)
def test_no_edge_between_tiles_cuts_a_thing(
    shape: tuple[int, int, int], size: tuple[int, int, int], step: int
) -> None:
    ids = lattice(shape, step)
    many = int(ids.max())
    mask = InstanceMask(Image(ids[None]), {k: "red" if k % 2 else "white" for k in range(1, many + 1)})
    table = np.array([0, *(1 if k % 2 else 2 for k in range(1, many + 1))])
    truth = np.stack([table[ids], depths(ids)]).astype(np.float32)
    case = Case("a", {"image": Image(truth)}, targets={"cells": mask})
    chosen = plan(size, mirror=("x", "y"))
    prepared = TASK.prepare(case, chosen, STATE, reference=load_reference(case))
    prepared = replace(prepared, images={"image": truth})  # as it is, not normalised
    example = TASK.encode(case, prepared, load_reference(case), STATE)
    members = Members(TASK, [Knows()], chosen, torch.device("cpu"))
    raw = runs.get("dense").answer(members, example, prepared.undo)
    answer = TASK.decode(raw, STATE, {}, load_reference(case), undo=prepared.undo)
    assert len(answer.things) == many
    assert {n: v.x for n, v in answer.parts["counts"].values.items()} == {
        "red": (many + 1) // 2,
        "white": many // 2,
    }  # type: ignore[attr-defined]
    found = answer.image.array[0]
    for k in range(1, many + 1):
        own = found == np.bincount(found[ids == k].astype(np.int64)).argmax()
        assert (own & (ids == k)).sum() / (own | (ids == k)).sum() > 0.85
    (figures,) = [TASK.score(r, example, STATE) for r in runs.get("dense").raw(members, [example])]
    assert figures is not None and TASK.scored([figures]) > 0.9 and figures["1"][1] == (many + 1) // 2
    assert TASK.scored([{"1": (3.0, 4.0), "2": (0.0, 0.0)}, {"1": (0.0, 2.0)}]) == 0.5, (
        "of all things together"
    )


def test_targets_move_with_the_image() -> None:
    ids = lattice((1, 60, 60), 20)
    case = Case("a", {"image": Image(np.zeros((2, 1, 60, 60), np.float32) + ids)}, targets={})
    case = replace(case, targets={"cells": InstanceMask(Image(ids[None]), otherwise="red")})
    prepared = TASK.prepare(case, plan((1, 32, 32)), STATE, reference=load_reference(case))
    example = TASK.encode(case, prepared, load_reference(case), STATE)
    assert example.on_grid == {"mask", "depth"} and example.targets["mask"].shape == (2, 1, 60, 60)
    fields = {k: torch.from_numpy(v[None]) for k, v in example.targets.items()}
    chosen = AugmentPlan(rotate_deg=90.0, zoom=0.2, flip_axes=("y", "x"), probability=1.0)
    images = {"image": torch.zeros(1, 2, 1, 60, 60)}
    _, moved, _ = augment.space(images, fields, chosen, torch.Generator().manual_seed(3))
    label, number = moved["mask"][0].numpy()
    inner = (number > 0) & (np.array(moved["depth"][0, 0]) > 0.3)
    again = depths(np.maximum(number, 0))
    inside = np.zeros_like(inner)
    inside[:, 12:48, 12:48] = inner[:, 12:48, 12:48]
    assert inside.sum() > 300 and (label[inside] == 1).all()
    assert np.abs(again[inside] - moved["depth"][0, 0].numpy()[inside]).mean() < 0.08, (
        "as if made after the move"
    )


def test_crowds_and_what_lies_outside_are_not_learned_from() -> None:
    ids = np.zeros((1, 20, 20), np.int32)
    ids[0, 2:8, 2:8], ids[0, 12:18, 12:18] = 1, 2
    mask = InstanceMask(Image(ids[None]), {1: "red", 2: "red"}, crowd=frozenset({2}))
    case = Case("a", {"image": Image(np.zeros((2, 1, 20, 20), np.float32) + ids)}, targets={"cells": mask})
    prepared = TASK.prepare(case, plan((1, 32, 32)), STATE, reference=load_reference(case))
    label, number = TASK.encode(case, prepared, load_reference(case), STATE).targets["mask"][:, 0]
    assert label.shape == (32, 32) and label[0, 0] == -1 and (number[label == 1] == 1).all()
    assert (
        (label == 1).sum() == 36
        and (label == 0).sum() == 400 - 72
        and (label == -1).sum() == 32 * 32 - 400 + 36
    )


def test_calibration_by_hand() -> None:
    """Two seeds: at .5 all that is surer than .5 is true; at .3 nothing is."""
    rows = [[-1.0, 0.0, 40.0, 0.0], [-1.0, 1.0, 0.0, 0.0]]
    rows += [[2.0, 0.0, 0.5 + 0.01 * k, 0.8] for k in range(1, 41)]
    rows += [[2.0, 0.0, 0.01 * k, 0.2] for k in range(1, 41)]
    rows += [[0.0, 0.0, 0.9, 0.1] for _ in range(40)]
    found = TASK.calibrate([np.array(rows)], [None], state=STATE, plan=plan((1, 32, 32)))
    assert found["seed"] == 0.5 and set(found["thresholds"]) == {"red"}
    p = np.interp([0.3, 0.52, 0.8], found["knots"]["x"], found["knots"]["y"])
    assert p[0] < found["thresholds"]["red"] < p[2]
    assert TASK.calibrate([], [], state=STATE, plan=plan((1, 32, 32))) == {}


def test_the_best_of_the_true_fields_is_nearly_the_truth() -> None:
    from vesalius.core.things import Things
    from vesalius.metrics import instances as judge

    ids = lattice((1, 60, 60), 20)
    truth = Things(ids, dict.fromkeys(range(1, int(ids.max()) + 1), "white"))
    answer = perfect(truth, LABELS, Image(np.zeros((1, 1, 60, 60), np.uint8)), case_id="a")
    rows = judge.rows([answer], [truth])
    assert judge.summary(rows, np.array([0]))["pq/white"] > 0.95


def test_a_trivial_answer_is_otsus(tmp_path: Path) -> None:
    ids = lattice((1, 80, 80), 20)
    noise = np.random.default_rng(0).normal(0, 3, ids.shape)
    image = Image(np.clip(np.where(ids > 0, 90, 200) + noise, 0, 255).astype(np.uint8)[None])
    mask = InstanceMask(Image(ids[None]), otherwise="white")
    cases = [Case(str(k), {"image": image}, targets={"cells": mask}) for k in range(2)]
    model: Any = nn.Identity()
    state = TASK.remember(model, [], STATE, cases=cases)
    assert state.values["trivial"]["brighter"] is False and state.values["trivial"]["label"] == "white"
    answer = TASK.trivial(state, image)
    assert answer is not None and len(answer.things) == ids.max()
