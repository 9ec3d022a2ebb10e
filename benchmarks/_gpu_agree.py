"""Answers of a card beside those of the processor: logits and masks of a net that has learned, in each precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor, nn

from benchmarks._figures import Figure, at_least, at_most
from benchmarks._gpu_card import Card
from benchmarks._gpu_given import Given
from benchmarks._gpu_step import LABELS, LR, Setting, plan_of, state_for, stepper_of
from vesalius import nets
from vesalius.core.plan import override
from vesalius.infer import runs
from vesalius.infer.asked import built
from vesalius.infer.exact import keep_exact
from vesalius.infer.runs.contract import Members
from vesalius.prepare.batch import Batch
from vesalius.tasks import contract as tasks

BALLS = 4
SETTING = Setting("3-D U-Net", "segment", "unet", (64, 64, 64), 2)
QUICK = Setting("3-D U-Net, small", "segment", "unet", (16, 16, 16), 2, scale=0.125)
STEPS, QUICK_STEPS = 300, 3
EXACT, ROUNDED = 1e-3, 5e-2  # of the largest logit, by which an answer may differ
ALIKE = {"fp32": 0.999, "bf16": 0.98}  # Dice of all that is labelled


def balls(setting: Setting, seed: int) -> tuple[Tensor, Tensor]:
    """Return noisy images `(B, 1, Z, Y, X)` of balls that are brighter the higher their label, and their masks."""
    g = torch.Generator().manual_seed(seed)
    z, y, x = torch.meshgrid(*(torch.arange(float(n)) for n in setting.size), indexing="ij")
    mask = torch.zeros(setting.batch, 1, *setting.size, dtype=torch.int16)
    side = torch.tensor([float(n) for n in setting.size])
    for row in mask[:, 0]:
        for _ in range(BALLS):
            centre, radius = (
                torch.rand(3, generator=g) * side,
                side[0] * (0.1 + 0.15 * torch.rand(1, generator=g)),
            )
            inside = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < radius**2
            row[inside] = int(torch.randint(1, LABELS + 1, (1,), generator=g))
    image = mask.float() / 4 + 0.2 * torch.randn(mask.shape, generator=g)
    return image, mask


def agreement(given: Given) -> Iterator[Figure]:
    """Learn balls on the card, then answer fresh ones there and on the processor."""
    setting = QUICK if given.quick else SETTING
    weights, steps = _learned(given, setting)
    image, truth = balls(replace(setting, batch=1 if given.quick else 2), seed=10_000)
    cpu = Card(torch.device("cpu"))
    exact = _answer(setting, weights, image, cpu, "fp32")
    found = exact.argmax(dim=1, keepdim=True)
    yield Figure(
        f"{setting.words()}: Dice of what is labelled with the truth",
        f"{dice(found, truth.long()):.3f}",
        note=f"on the processor in fp32, after {steps} steps on {given.card.name}",
    )
    for name, where, precision, ways in _answers(given.card, cpu):
        with ways:
            other = _answer(setting, weights, image, where, precision)
        apart = float((other - exact).abs().max() / exact.abs().max().clamp_min(1e-12))
        bound = EXACT if "as torch has it" not in name and precision == "fp32" else ROUNDED
        called = other.argmax(dim=1, keepdim=True)
        differs = float((called != found).float().mean())
        yield at_most(
            f"{name}: largest difference from the processor's fp32, of the largest logit",
            apart,
            bound,
            digits=7,
            note=f"{100 * differs:.4f} % of voxels are labelled otherwise",
        )
        yield at_least(
            f"{name}: Dice with the processor's mask", dice(called, found), ALIKE[precision], digits=5
        )


def _answers(card: Card, cpu: Card) -> list[tuple[str, Card, str, AbstractContextManager[None]]]:
    """Return who answers how. cuDNN rounds the convolutions of fp32 to TF32 unless it is told not to."""
    return [
        (f"{card.name}, fp32", card, "fp32", unrounded()),
        (f"{card.name}, fp32 as torch has it", card, "fp32", nullcontext()),
        (f"{card.name}, bf16", card, "bf16", nullcontext()),
        *([("processor, bf16", cpu, "bf16", nullcontext())] if card.cuda else []),
    ]


@contextmanager
def unrounded() -> Iterator[None]:
    """Keep cuDNN from rounding the factors of fp32 convolutions to TF32 inside this block."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _learned(given: Given, setting: Setting) -> tuple[dict[str, Tensor], int]:
    """Return weights after some steps on the card, as many as there is time for, and how many these were."""
    stepper = stepper_of(setting, given.card)
    most, made, half = QUICK_STEPS if given.quick else STEPS, 0, given.left_s() / 2
    while made < most and given.left_s() > half:
        image, mask = balls(setting, seed=made % 50)
        batch = Batch({"image": image}, targets={"mask": mask}, on_grid=frozenset({"mask"}))
        stepper.step(made, batch.to(given.card.device), 10 * LR)
        made += 1
    given.card.wait()
    return stepper.weights(), made


def _answer(
    setting: Setting, weights: dict[str, Tensor], image: Tensor, card: Card, precision: str
) -> Tensor:
    """Return the logits of an image, on the processor, as `predict` computes those of a tile."""
    plan, state, task = plan_of(setting, precision), state_for(setting), tasks.get(setting.task)
    plan = override(plan, {"infer.mirror": []}, reason="one view")
    model: nn.Module = keep_exact(built(task, plan, state, nets))
    model.load_state_dict(weights)
    model = model.to(card.device).eval()
    batch = Batch({"image": image}).to(card.device)
    with torch.inference_mode():
        raw = runs.get(task.run).together(
            Members(task, [model], plan, card.device), batch, torch.Generator().manual_seed(0)
        )
    return raw.float().cpu()


def dice(a: Tensor, b: Tensor) -> float:
    """Return the Dice of all that is labelled; points count to which both give the same label. 1 for two empty ones."""
    both = int(((a == b) & (a > 0)).sum())
    total = int((a > 0).sum()) + int((b > 0).sum())
    return 2 * both / total if total else 1.0
