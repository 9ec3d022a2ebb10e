"""The largest net of which a training step fits on a card, with its activations kept and computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch

from benchmarks._figures import Figure
from benchmarks._gpu_card import gib
from benchmarks._gpu_given import Given
from benchmarks._gpu_step import (
    MIDDLE,
    QUICK_UNET,
    QUICK_VIT,
    VIT,
    Setting,
    batch_of,
    parameters_of,
    step_of,
    stepper_of,
)
from vesalius.core.errors import out_of_memory
from vesalius.core.plan import TrainPlan
from vesalius.nets import describe

RECOMPUTE = "recompute"  # of `TrainPlan`: activations are computed again on the way back
PRETENDED = (
    1 << 23
)  # bytes that a step may keep where there is no GPU, so that the search has something to find


@dataclass(frozen=True)
class Widths:
    """Which widths are tried: from `first` on, `least` to `most`, until the limit is known to `finest`."""

    first: float = 1.0
    least: float = 0.25
    most: float = 16.0
    finest: float = 0.25


@dataclass(frozen=True)
class Found:
    """The widest that fitted and the narrowest that did not; `ended` says that the search was not cut short."""

    fits: float | None
    fails: float | None
    ended: bool


def search(fits: Callable[[float], bool], over: Callable[[], bool], widths: Widths) -> Found:
    """Return between which widths the limit lies: doubled or halved from the first one on, then bisected."""
    low: float | None = None
    high: float | None = None
    at = widths.first
    while not over():
        if fits(at):
            low = at
        else:
            high = at
        if low is None:
            if at <= widths.least:
                return Found(None, high, True)
            at = max(widths.least, at / 2)
        elif high is None:
            if low >= widths.most:
                return Found(low, None, True)
            at = min(widths.most, 2 * low)
        elif high - low <= widths.finest:
            return Found(low, high, True)
        else:
            at = low + max(1, round((high - low) / 2 / widths.finest)) * widths.finest
    return Found(low, high, False)


def largest(given: Given) -> Iterator[Figure]:
    """The widest U-Net and ViT, each with activations kept and, where the plan can say so, computed again."""
    ways: list[tuple[str, dict[str, Any]]] = [("activations kept", {})]
    if RECOMPUTE in TrainPlan.model_fields:
        ways.append(("activations computed again", {RECOMPUTE: True}))
    else:
        yield Figure("largest net with activations computed again", "left out", note="no plan can say so yet")
    tried = [
        (setting, way, train)
        for setting in ((QUICK_UNET, QUICK_VIT) if given.quick else (MIDDLE, VIT))
        for way, train in ways
    ]
    for number, (setting, way, train) in enumerate(tried):
        share_s = given.left_s() / (len(tried) - number)
        yield _row(given, setting, way, train, share_s)


def _row(given: Given, setting: Setting, way: str, train: dict[str, Any], share_s: float) -> Figure:
    sizes: dict[float, tuple[int, int | None]] = {}
    refused: dict[float, str] = {}
    until = given.left_s() - share_s

    def fits(scale: float) -> bool:
        size = _tried(given, replace(setting, scale=scale * setting.scale), train)
        if isinstance(size, str):
            refused[scale] = size
        else:
            sizes[scale] = size
        return scale in sizes

    least = float(describe(setting.net).get("SMALLEST", 0.25)) / setting.scale
    widths = Widths(least=least, most=4.0, finest=1.0) if given.quick else Widths(least=least)
    found = search(fits, lambda: given.left_s() <= until, widths)
    what = f"largest {setting.words()}, {way}"
    if found.fits is None:
        return Figure(what, "none fitted" if found.ended else "none was found in time")
    parameters, most = sizes[found.fits]
    limit = "nothing wider was tried"
    if found.fails is not None:
        limit = f"{found.fails:g} times the width: {refused[found.fails]}"
    if not found.ended:
        limit = f"the search ended early; {limit}"
    note = f"{found.fits:g} times the width; {limit}; most memory {gib(most)}; bf16, AdamW, EMA"
    return Figure(what, f"{parameters / 1e6:.4g} M parameters", note=note)


def _tried(given: Given, setting: Setting, train: dict[str, Any]) -> tuple[int, int | None] | str:
    """Return parameters and bytes of two steps that fitted, or why they did not; all memory is given back then.

    Near the limit libraries refuse in words of their own, such as CUDNN_STATUS_ALLOC_FAILED; these are told.
    """
    given.card.forget()
    found: tuple[int, int | None] | str
    try:
        found = _two_steps(given, setting, train)
    except (RuntimeError, MemoryError) as error:
        found = "does not fit" if out_of_memory(error) else str(error).partition("\n")[0][:120]
    given.card.forget()  # the error is gone by now, and with it the tensors of its frames
    return found


def _two_steps(given: Given, setting: Setting, train: dict[str, Any]) -> tuple[int, int | None]:
    card = given.card
    with torch.device(
        card.device
    ):  # weights are drawn where they are to lie, which is quicker for many of them
        stepper = stepper_of(setting, card, **train)
    step = step_of(stepper, batch_of(setting, card.device))
    if card.cuda:
        for k in range(2):  # the optimiser's state comes with the first step, and is there in the second
            step(k)
        card.wait()
        return parameters_of(stepper.model), card.most_bytes()
    kept = 0

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        step(0)
    if kept + 20 * parameters_of(stepper.model) > PRETENDED:
        raise MemoryError("out of memory, as pretended where there is no GPU")
    return parameters_of(stepper.model), None
