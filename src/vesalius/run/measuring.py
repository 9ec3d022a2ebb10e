"""Measuring what it takes to use a model: its size, and on this machine its time, memory, work and energy a case."""

from __future__ import annotations

import ctypes
import gc
import statistics
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch
from safetensors import safe_open
from torch.utils.flop_counter import FlopCounterMode

from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.errors import VesaliusError
from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.evaluate.decision import Cost, Timed
from vesalius.explain.fitting import explainers_of
from vesalius.infer.graphs import open_graph
from vesalius.infer.loading import GRAPH
from vesalius.infer.predictor import Predictor
from vesalius.infer.twins import weights_of
from vesalius.plan.energy import WATTS, Energy, Meter
from vesalius.run.engineering import machine_facts

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_LOOK_S = 0.005


@dataclass(frozen=True)
class Measured:
    """What using a model costs, and the methods that can explain it."""

    cost: Cost
    explainers: tuple[str, ...]


def static_cost(bundle: Bundle) -> Cost:
    """Return what is known of a bundle's size without running it: numbers in its weights, and its bytes on disk."""
    numbers = 0
    for name in (name for stage in bundle.stages for name in stage.members):
        if name.endswith(GRAPH):
            held = weights_of(open_graph(bundle.path / name).proto)
            numbers += sum(array.size for array in held.values())
            continue
        with safe_open(bundle.path / name, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 - no mapping
                many = 1
                for n in file.get_slice(key).get_shape():
                    many *= n
                numbers += many
    size = sum(p.stat().st_size for p in bundle.path.iterdir() if p.is_file())
    return Cost(parameters=numbers, size_bytes=size)


def measure(
    bundle: Bundle,
    cases: Sequence[Case],
    *,
    device: str | None = None,
    watts: float = WATTS,
    accept_mismatch: bool = False,
    progress: Progress,
) -> Measured:
    """Return what answering each of some cases took; without cases, what one pass through the models takes.

    Each case is answered once, after the first was answered and all of it let go, from its file to the whole answer,
    one at a time. A case that cannot be answered is left out, and `Cost.how` says so.
    """
    cost = static_cost(bundle)
    if cases:  # what the first answer of a process builds and loads is no model's own
        with suppress(VesaliusError):
            Predictor(bundle, device=device, accept_mismatch=accept_mismatch)(cases[0])
    _let_go()
    before, peak = _resident(), _Peak()
    began = time.perf_counter()
    predictor = Predictor(bundle, device=device, accept_mismatch=accept_mismatch)
    loaded_s = time.perf_counter() - began
    explainers = explainers_of(predictor)
    if not cases:
        peak.stop()
        macs, macs_of = _one_pass(bundle)
        return Measured(replace(cost, load_s=loaded_s, macs=macs, macs_of=macs_of), explainers)
    taken, energy, wrong = _timed(predictor, cases, watts, progress)
    most = peak.stop()
    if not taken:
        return Measured(replace(cost, load_s=loaded_s, how=f"no case could be answered: {wrong}"), explainers)
    on_gpu = predictor.device.type != "cpu"
    macs, macs_of = _of_a_case(_by_torch(predictor), cases)
    found = replace(
        cost,
        seconds=Timed(statistics.median(taken), min(taken), max(taken), len(taken)),
        load_s=loaded_s,
        macs=macs,
        macs_of=macs_of,
        memory_bytes=_on_device(predictor.device) if on_gpu else max(0, most - before),
        energy=None
        if on_gpu
        else energy,  # a graphics card's is not read, and the processor's alone would mislead
        machine=_machine(predictor),
        how=wrong,
    )
    return Measured(found, explainers)


def _timed(
    predictor: Predictor, cases: Sequence[Case], watts: float, progress: Progress
) -> tuple[list[float], Energy | None, str]:
    """Return the seconds of each case, the energy of one, and what went wrong."""
    taken: list[float] = []
    wrong: list[str] = []
    with suppress(VesaliusError):  # a first answer builds what later ones find
        predictor(cases[0])
    if predictor.device.type != "cpu":
        torch.cuda.reset_peak_memory_stats(predictor.device)
    meter = Meter(watts=watts)
    progress.start("measure", len(cases))
    for case in cases:
        began = time.perf_counter()
        try:
            predictor(case)
        except VesaliusError as error:
            wrong.append(error.what)
        else:
            taken.append(time.perf_counter() - began)
        progress.advance("measure")
    progress.finish("measure")
    energy = meter.stop()
    left = f"{counted(len(wrong), 'case')} could not be answered and are not counted" if wrong else ""
    return taken, energy.each(len(taken)) if taken and not wrong else None, left


def _of_a_case(predictor: Predictor, cases: Sequence[Case]) -> tuple[int | None, str]:
    """Return the multiply-adds of the first case that can be answered: all members, views and tiles of it."""
    for case in cases:
        counter = FlopCounterMode(display=False)
        try:
            with counter:
                predictor(case)
        except VesaliusError:
            continue
        return _macs(counter), "a case"
    return None, ""


def _by_torch(predictor: Predictor) -> Predictor:
    """Return what answers by torch alone, whose operations can be counted: of members that are graphs their twins."""
    if all(stage.runtime == "torch" for stage in predictor.bundle.stages):
        return predictor
    device, accept = str(predictor.device), predictor.accept_mismatch
    return Predictor(predictor.bundle, device=device, accept_mismatch=accept, runtime="torch")


def _one_pass(bundle: Bundle) -> tuple[int | None, str]:
    """Return the multiply-adds of one pass of all members over an empty image of the planned size.

    None where the model takes more than an image.
    """
    data = bundle.stages[-1].plan.data
    counter = FlopCounterMode(display=False)
    try:
        with torch.inference_mode(), counter:
            bundle.torch()(torch.zeros(1, data.inputs, *data.size))
    except Exception:  # noqa: BLE001 - whatever a task of others asks for beside the image: it is not counted
        return None, ""
    return _macs(counter), f"one pass at {'×'.join(map(str, data.size))}"


def _macs(counter: FlopCounterMode) -> int | None:
    """Return multiply-adds: torch counts each as two operations, of convolutions and matrix products alone."""
    return counter.get_total_flops() // 2 or None


def _machine(predictor: Predictor) -> str:
    found = machine_facts()
    threads = "" if predictor.device.type != "cpu" else f", {counted(torch.get_num_threads(), 'thread')}"
    gpu = f"; {found['graphics card']}" if predictor.device.type != "cpu" else ""
    return f"{found['processor']}{threads}; {found['memory']} of memory{gpu}"


# --- memory


class _Peak:
    """The most memory that this process holds until `stop`: the system's own mark, else looked at often."""

    def __init__(self) -> None:
        self._most, self._ended = _resident(), threading.Event()
        self._marked = _cleared()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        if not self._marked:
            self._thread.start()

    def stop(self) -> int:
        """Return the most bytes so far, and end watching."""
        self._ended.set()
        if self._marked:
            return _mark() or _resident()
        self._thread.join()
        return max(self._most, _resident())

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self._most = max(self._most, _resident())


def _cleared() -> bool:
    """Set the system's mark of the most memory back to that of now; return whether there is such a mark."""
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return _mark() is not None


def _mark() -> int | None:
    """Return the most bytes since the mark was set back; None where the system keeps none."""
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def _let_go() -> None:
    """Give memory of models before back to the system, so that it is not there for this one to use unseen."""
    gc.collect()
    with suppress(OSError, AttributeError):  # glibc alone has it
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _on_device(device: torch.device) -> int:
    return int(torch.cuda.max_memory_allocated(device))
