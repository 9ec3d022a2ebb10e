"""Training steps on a card: seconds, share of the peak, memory; eager and compiled, and as tensors lie in memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import nn

from benchmarks import _record
from benchmarks._figures import Figure, at_most, spread
from benchmarks._gpu_card import SIDE, SMALL_SIDE, Card, by_data_sheet, by_matmul, gib, seconds_of
from benchmarks._gpu_given import Given
from benchmarks._gpu_step import (
    LABELS,
    LARGE,
    MIDDLE,
    QUICK_UNET,
    QUICK_VIT,
    VIT,
    Setting,
    batch_of,
    flops_of,
    parameters_of,
    step_of,
    stepper_of,
)
from vesalius.core.errors import out_of_memory

STEPS, WARM = 20, 3
FIRST, COMPILED = "eager, channels first", "torch.compile"
Change = Callable[[nn.Module], object]
THEIRS = Path(__file__).with_name("_nnunet.py")
BROKEN = (RuntimeError, MemoryError)


def peak(given: Given) -> Iterator[Figure]:
    """What the card reaches in a product of matrices, in three precisions, beside its data sheet."""
    card, side = given.card, SMALL_SIDE if given.quick else SIDE
    known = by_data_sheet(card.name)
    told = "not in our table" if known is None else f"data sheet: {known[0] / 1e12:.0f} TFLOP/s ({known[1]})"
    note = f"{card.name}; side {side}; {told}"
    yield Figure("matmul, bf16", f"{by_matmul(card, torch.bfloat16, side) / 1e12:.3g} TFLOP/s", note=note)
    yield Figure("matmul, fp32", f"{by_matmul(card, torch.float32, side) / 1e12:.3g} TFLOP/s")
    if card.cuda:
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = True
        try:
            reached = by_matmul(card, torch.float32, side - 64)  # another side, so that it is measured anew
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before
        yield Figure("matmul, fp32 rounded to TF32", f"{reached / 1e12:.3g} TFLOP/s")


def vit(given: Given) -> Iterator[Figure]:
    """The step of ViT-L/16 at 224, whose tensors lie one way only."""
    ways = {name: way for name, way in _ways(given).items() if name != FIRST}
    yield from _steps(given, (QUICK_VIT,) if given.quick else (VIT,), ways)


def unet(given: Given) -> Iterator[Figure]:
    """The steps of the 3-D residual-encoder U-Nets that nnU-Net plans for 8 and for 24 GB."""
    yield from _steps(given, (QUICK_UNET,) if given.quick else (MIDDLE, LARGE), _ways(given))


def _steps(given: Given, settings: tuple[Setting, ...], ways: Mapping[str, Change]) -> Iterator[Figure]:
    for number, setting in enumerate(settings):
        flops = flops_of(setting)
        for way, change in ways.items():
            left = given.left_s() / (len(settings) - number)
            if left < 5 and not given.quick:
                yield Figure(f"{setting.words()}: {way}", "left out", note="no time was left")
                continue
            yield from _one(given, setting, way, change, flops)


def _ways(given: Given) -> dict[str, Change]:
    """Return what is done to a model before it is timed, by name; each is a training of its own."""
    backend = "eager" if given.quick else "inductor"
    return {
        "eager": lambda model: None,
        FIRST: lambda model: model.to(memory_format=torch.contiguous_format),
        COMPILED: lambda model: model.net.compile(backend=backend, dynamic=False),  # type: ignore[operator, union-attr]
    }


def _one(given: Given, setting: Setting, way: str, change: Change, flops: int) -> Iterator[Figure]:
    """Time one training; memory is that of the model, its optimiser, its average and the step."""
    card, what = given.card, f"{setting.words()}: {way}"
    failed = ""
    try:
        found, most, how = _timed(given, setting, way, change)
    except BROKEN as error:
        first = str(error).partition("\n")[0][:160]
        failed = "does not fit into memory" if out_of_memory(error) else f"failed: {first}"
    if failed:  # out of the block, so that the error holds no tensors any more
        card.forget()
        yield Figure(f"{what}: a step", failed)
        return
    middle = statistics.median(found)
    many = f"{len(found)} steps after {WARM}; bf16, AdamW, EMA, clipping; {how}"
    yield Figure(f"{what}: a step", spread(found), note=many)
    yield from utilisation(card, what, flops, middle, quick=given.quick)
    yield Figure(f"{what}: most memory", gib(most))


def _timed(given: Given, setting: Setting, way: str, change: Change) -> tuple[list[float], int | None, str]:
    card = given.card
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    card.forget()
    stepper = stepper_of(setting, card)
    change(stepper.model)
    step = step_of(stepper, batch_of(setting, card.device))
    if given.quick:
        found = seconds_of(step, card, warm=1, steps=2, most_s=1.0)
    else:
        found = seconds_of(step, card, warm=WARM, steps=STEPS, most_s=given.some_s(0.15, 15.0))
    how = f"{parameters_of(stepper.model) / 1e6:.3g} M parameters"
    if way == COMPILED:
        seen = torch._dynamo.utils.counters
        graphs, broken = seen["stats"]["unique_graphs"], sum(seen["graph_break"].values())
        if not graphs:
            raise RuntimeError("torch.compile compiled nothing, so that this would be the eager step's time")
        how += f"; {graphs} graphs, {broken} breaks"
    return found, card.most_bytes(), how


def utilisation(card: Card, what: str, flops: int, seconds: float, *, quick: bool) -> Iterator[Figure]:
    """Model FLOP utilisation by the data sheet, where the card is in the table, and by the matmul measured here.

    More than all of the card cannot be: then the count, the clock or the table is wrong.
    """
    side = SMALL_SIDE if quick else SIDE
    reached = by_matmul(card, torch.bfloat16, side)
    rate, count = flops / seconds, f"{flops / 1e12:.3g} TFLOP a step, forward and backward of the net"
    known = by_data_sheet(card.name)
    if known is not None:
        yield at_most(f"{what}: MFU by the data sheet", rate / known[0], 1.0, note=f"{count}; {known[1]}")
    note = f"{count}; a matmul of bf16 reaches {reached / 1e12:.3g} TFLOP/s"
    if quick:  # of tiny nets on a processor, whose matmul in bf16 may be slower than fp32 elsewhere
        yield Figure(f"{what}: FLOP/s by those of a matmul", f"{rate / reached:.3f}", note=note)
        return
    yield at_most(f"{what}: FLOP/s by those of a matmul", rate / reached, 1.0, note=note)


def nnunet(given: Given) -> Iterator[Figure]:
    """nnU-Net's own step: its net, loss, optimiser and clipping on the same patch and batch, in its own environment."""
    python = given.nnunet
    if python is None:
        yield Figure("nnU-Net's step", "not there", note="no Python with nnunetv2 was named or is this one")
        return
    for setting in (QUICK_UNET,) if given.quick else (MIDDLE, LARGE):
        features = max(4, round(32 * setting.scale))
        words = [str(python), str(THEIRS), "step", given.card.device.type, str(setting.size[0])]
        words += [str(setting.batch), str(LABELS), str(features), str(given.some_s(0.2, 20.0))]
        for precision in ("bf16",) if given.quick else ("bf16", "its own"):
            yield _theirs([*words, precision], setting, precision, given)


def _theirs(words: list[str], setting: Setting, precision: str, given: Given) -> Figure:
    what = f"nnU-Net's step, {setting.words()}, {precision}"
    try:
        done = subprocess.run(
            words,
            cwd=_record.ROOT,
            capture_output=True,
            text=True,
            timeout=max(5.0, given.left_s()),
            env={**os.environ, "PYTHONPATH": ""},
        )
    except subprocess.TimeoutExpired:
        return Figure(what, "left out", note="no time was left")
    if done.returncode:
        return Figure(what, f"failed: {(done.stderr.strip().splitlines() or ['?'])[-1][:160]}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    note = (
        f"nnunetv2 {told['version']}, {told['parameters'] / 1e6:.0f} M parameters, {told['arithmetic']}, "
        f"deep supervision, SGD; most memory {gib(told['most_bytes'])}; the net's FLOPs are those of ours"
    )
    return Figure(what, spread(told["seconds"]), note=note)
