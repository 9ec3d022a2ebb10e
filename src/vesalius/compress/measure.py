"""Measuring a compressed model beside the original: turn by turn in one process, so that both meet the same machine."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch.utils.flop_counter import FlopCounterMode

from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.errors import VesaliusError
from vesalius.core.progress import Progress
from vesalius.infer import runs
from vesalius.infer.predictor import Predictor
from vesalius.infer.runs.contract import Members
from vesalius.infer.runtimes import TORCH
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.prepare.batch import Example
from vesalius.prepare.case import with_reference
from vesalius.run.measuring import measure

ROUNDS, MOST_S = 7, 20.0  # of turns at least three, and no more than so many seconds of them
ANSWERS = 20  # whole answers that are timed one by one, at most
WEIGHED = 3  # cases by which memory and energy are measured


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What using a model takes, on this machine.

    `throughput` is prepared cases a second through all members at the planned batch, the median of `rounds` turns.
    `ratio` is the median over turns of how many times that of the original it is; 1 for the original. `p50_s` and
    `p95_s` are of `answers` whole answers one at a time, from the file on. `macs` are multiply-adds of one prepared
    case, of convolutions and matrix products. `size_bytes` is all of the bundle on disk, `weights_bytes` the members'
    files alone. `memory_bytes` is the most that answering took, `joules` what one case took, and `energy_how` whether
    that was measured or estimated. None is what could not be measured.
    """

    throughput: float
    ratio: float
    rounds: int
    batch: int
    p50_s: float | None
    p95_s: float | None
    answers: int
    macs: int | None
    size_bytes: int
    weights_bytes: int
    memory_bytes: int | None
    joules: float | None
    energy_how: str
    runtime: str
    threads: int

    def json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Probe:
    """By what models are measured: prepared cases for throughput, and cases for whole answers."""

    examples: Sequence[Example]
    cases: Sequence[Case]


def parse_cost(data: Mapping[str, Any]) -> Cost:
    """Return a cost from its plain data."""
    return Cost(**data)


def beside(
    original: Bundle, other: Bundle | None, probe: Probe, *, device: str | None, progress: Progress
) -> Cost:
    """Return what a model costs, its throughput turn by turn with the original's; of the original where it is None.

    No alarm is looked at, for either: what a variant is tried with has none yet.
    """
    torch_threads.use(machines.measure().cores)  # an answer before may have left fewer, as others worked
    threads = torch_threads.in_use()
    mine = other or original
    first, second = _predictor(original, device), _predictor(mine, device)
    members = [_members(first), _members(second)]
    few = _few(members[0], probe.examples)
    took: tuple[list[float], list[float]] = ([], [])
    began = time.perf_counter()
    for model in members:  # what the first pass builds and loads is no model's own
        _seconds(model, few)
    while len(took[0]) < 3 or (len(took[0]) < ROUNDS and time.perf_counter() - began < MOST_S):
        for model, times in zip(members, took, strict=True):
            times.append(_seconds(model, few))
    ratios = [a / b for a, b in zip(*took, strict=True)]
    answered = _answers(second, probe.cases[:ANSWERS])
    used = measure(mine, probe.cases[:WEIGHED], device=device, accept_mismatch=True, progress=progress).cost
    return Cost(
        throughput=len(few) / statistics.median(took[1]),
        ratio=1.0 if other is None else statistics.median(ratios),
        rounds=len(ratios),
        batch=max(members[0].plan.infer.batch, 1),
        p50_s=_share(answered, 0.5),
        p95_s=_share(answered, 0.95),
        answers=len(answered),
        macs=_macs(_members(Predictor(mine, device="cpu", accept_mismatch=True, runtime=TORCH)), few[:1]),
        size_bytes=used.size_bytes,
        weights_bytes=sum((mine.path / name).stat().st_size for name in mine.stages[0].members),
        memory_bytes=used.memory_bytes,
        joules=None if used.energy is None else used.energy.joules,
        energy_how="" if used.energy is None else used.energy.how,
        runtime=mine.stages[0].runtime,
        threads=threads,
    )


def _predictor(bundle: Bundle, device: str | None) -> Predictor:
    return Predictor(bundle, device=device, accept_mismatch=True)


def _members(predictor: Predictor) -> Members:
    return predictor.last


def _few(members: Members, examples: Sequence[Example]) -> list[Example]:
    """Return as many cases as go through the model at once, repeated where there are fewer."""
    many = max(members.plan.infer.batch, 1) if runs.get(members.task.run).joins else 1
    return [examples[k % len(examples)] for k in range(many)]


def _seconds(members: Members, examples: Sequence[Example]) -> float:
    began = time.perf_counter()
    for _ in runs.get(members.task.run).raw(members, examples):
        pass
    return time.perf_counter() - began


def _answers(predictor: Predictor, cases: Sequence[Case]) -> list[float]:
    """Return the seconds of whole answers, one case after the other; those that fail are left out."""
    taken: list[float] = []
    began = time.perf_counter()
    for case in cases:
        if len(taken) >= 3 and time.perf_counter() - began > MOST_S:
            break
        start = time.perf_counter()
        try:
            predictor(with_reference(case))
        except VesaliusError:
            continue
        taken.append(time.perf_counter() - start)
    return taken


def _share(values: Sequence[float], q: float) -> float | None:
    return float(np.quantile(values, q)) if values else None


def _macs(members: Members, examples: Sequence[Example]) -> int | None:
    """Return the multiply-adds of one pass as torch counts them: of a graph those of its torch twin."""
    counter = FlopCounterMode(display=False)
    with counter:
        _seconds(members, examples)
    total = counter.get_total_flops() // 2
    return total if total and math.isfinite(total) else None
