"""Whether a card waits for its batches: a whole step of training beside one whose batch lies there already."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks._figures import Figure
from benchmarks._gpu_card import rate_of
from benchmarks._gpu_given import Given
from benchmarks._gpu_step import LABELS, LR, MIDDLE, QUICK_UNET, Setting, plan_of, state_for
from vesalius.core.plan import Plan, override
from vesalius.learn.examples import batches
from vesalius.learn.recipes import contract as recipes
from vesalius.learn.recipes.contract import Member
from vesalius.learn.recipes.supervised import Supervised
from vesalius.learn.stepper import fabric_for
from vesalius.prepare.batch import Example
from vesalius.tasks import contract as tasks

CASES, ROOM = 8, 1.25  # how much longer an image is along each axis than a patch
CHANGES = {  # as `segment` plans them
    "augment.flip_axes": ["x"],
    "augment.probability": 0.7,
    "augment.rotate_deg": 15.0,
    "augment.zoom": 0.15,
    "augment.noise": 0.1,
    "augment.brightness": 0.1,
    "augment.contrast": 0.15,
    "train.foreground": 0.5,
}


def feeding(given: Given) -> Iterator[Figure]:
    """The share of a step in which the card has nothing to do, with the default augmentation and with none."""
    setting = QUICK_UNET if given.quick else MIDDLE
    examples = _examples(setting)
    ways = {"default augmentation": CHANGES, "no augmentation": {"train.foreground": 0.5}}
    for way, changes in ways.items():
        yield from _rows(
            given, setting, override(plan_of(setting), changes, reason="measured"), examples, way
        )


def _examples(setting: Setting) -> list[Example]:
    """Return cases of noise in memory, as training holds them."""
    rng = np.random.default_rng(0)
    shape = tuple(int(ROOM * n) for n in setting.size)
    return [
        Example(
            f"case-{k}",
            {"image": rng.standard_normal((1, *shape), dtype=np.float32)},
            {"mask": rng.integers(0, LABELS + 1, (1, *shape)).astype(np.int16)},
            frozenset({"mask"}),
        )
        for k in range(2 if setting is QUICK_UNET else CASES)
    ]


def _rows(given: Given, setting: Setting, plan: Plan, examples: list[Example], way: str) -> Iterator[Figure]:
    card, task = given.card, tasks.get(setting.task)
    card.forget()
    fabric = fabric_for(plan, card.device.type)
    recipe = recipes.begin(Member(task, plan, state_for(setting), examples, 0, fabric, steps=1000))
    if not isinstance(recipe, Supervised):
        raise RuntimeError("the default recipe is another one than this script knows")
    steps = 2 if given.quick else 15
    draw = batches(examples, plan, 0, task=task)
    ready = draw(0, card.device)
    full = rate_of(lambda k: recipe.step(k, LR), card, steps=steps)
    held = rate_of(lambda k: recipe.stepper.step(k, ready, LR), card, steps=steps)
    drawn = rate_of(lambda k: draw(k, card.device), card, steps=steps)
    what = f"{setting.words()}, {way}"
    note = f"{steps} steps of each, waited for once; {torch.get_num_threads()} threads draw"
    yield Figure(f"{what}: a step of training", f"{1000 * full:.1f} ms", note=note)
    yield Figure(f"{what}: a step whose batch lies there", f"{1000 * held:.1f} ms")
    yield Figure(f"{what}: drawing a batch", f"{1000 * drawn:.1f} ms", note="cut, copied and augmented")
    yield Figure(f"{what}: share of a step that the card waits", f"{100 * max(0.0, 1 - held / full):.1f} %")
