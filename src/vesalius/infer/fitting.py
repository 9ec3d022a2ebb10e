"""Fitting: how a field is blended so that it fits into the memory that there is, or that was declared for an answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import psutil
import torch

from vesalius.core import scratch
from vesalius.core.errors import BudgetError
from vesalius.infer import columns, native, tiles
from vesalius.plan import machine as machines
from vesalius.prepare.geometry import Undo

_LOG = logging.getLogger(__name__)
SPARED = 0.93  # of what may be taken: allocators hold more than they are asked for
PLENTY = 0.5  # of what is free, which is taken without a closer look
LARGE = 1 / 48  # of a declared memory, from which an array lies in a file
_EVERY_S = 0.002

Fold = Callable[[tiles.Asking, native.Point], tuple[tiles.Asking, native.Point] | None]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is asked and decoded, how the field is cut, and about how many bytes of it are brought home at once.

    `labels` is how many channels a raw field has, whatever of it is blended.
    """

    asking: tiles.Asking
    point: native.Point
    cut: columns.Cut
    chunk: int
    labels: int


def declared(memory: int | None) -> int | None:
    """Return how many bytes this process may hold in all: what was said, or what a limit on its memory leaves it."""
    if memory is not None:
        return memory
    left = machines.declared_memory()
    return None if left is None else resident() + left


def large(memory: int | None) -> int | None:
    """Return from how many bytes on an array is to lie in a file, under a declared memory; None for never."""
    return None if memory is None else int(memory * LARGE)


def fitted(
    asking: tiles.Asking,
    undo: Undo,
    point: native.Point,
    *,
    memory: int | None,
    whole: bool = False,
    fold: Fold | None = None,
) -> Fitted:
    """Ask about the first tiles, and return the quickest way to blend the field in the memory that is left then.

    `memory` is how many bytes this process may hold in all, None for what the machine has; of a GPU it is what is free
    there. A field that must stay `whole` is not cut; one that does not fit whole is folded where `fold` can (see
    `infer/folding.py`). Raises BudgetError where no way fits, with the least that would.
    """
    if memory is None and asking.device.type == "cpu":
        channels = asking.ask_first()
        plain = columns.whole(asking.grid)
        if plain.takes(channels) + native.nbytes(undo, point, channels) <= PLENTY * machines.free_memory():
            return Fitted(asking, point, plain, tiles.CHUNK_BYTES, channels)
        beside = 0
    else:
        with Peak(asking.device) as peak:
            channels = asking.ask_first()
        beside = peak.beside
    labels = channels
    made = native.nbytes(undo, point, channels) if asking.device.type == "cpu" else 0
    left = int(_left(memory, asking.device)) - beside - made
    cut = columns.cut(asking.grid, channels, most=left, room=scratch.room())
    if fold is not None and (cut is None or not cut.whole):
        with Peak(asking.device) as peak:
            other = fold(asking, point)
        if other is not None:
            asking, point = other
            channels, beside = asking.channels, peak.beside
            left = int(_left(memory, asking.device)) - beside - made
            cut = columns.cut(asking.grid, channels, most=left, room=scratch.room())
    if cut is None or (whole and not cut.whole):
        least = columns.whole(asking.grid).takes(channels) if whole else columns.least(asking.grid, channels)
        raise _refused(memory, least - left, channels)
    _LOG.info("a field of %d labels, %d channels, is %s", labels, channels, cut.words(channels))
    fine = cut.takes(channels) + columns.ROWS * tiles.CHUNK_BYTES <= left
    return Fitted(asking, point, cut, tiles.CHUNK_BYTES if fine else 1, labels)


class Peak:
    """How many bytes more than it holds afterwards a piece of work takes, looked at while this block lasts."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._most = self.beside = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Peak:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._device.type == "cuda":
            held = torch.cuda.memory_allocated(self._device)
            self.beside = torch.cuda.max_memory_allocated(self._device) - held
            return
        self._over.set()
        self._thread.join()
        self.beside = max(0, self._most - resident())

    def _look(self) -> None:
        process = psutil.Process()
        while not self._over.wait(_EVERY_S):
            self._most = max(self._most, int(process.memory_info().rss))


def resident() -> int:
    """Return how many bytes this process holds now."""
    return int(psutil.Process().memory_info().rss)


def _left(memory: int | None, device: torch.device) -> float:
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return SPARED * float(free)
    free = machines.free_memory()
    return SPARED * free if memory is None else min(SPARED * memory - resident(), SPARED * free)


def _refused(memory: int | None, lacking: int, channels: int) -> BudgetError:
    if memory is None:
        return BudgetError(
            "an answer does not fit into the memory that is free",
            found=f"{lacking / 2**30:.2f} GiB more are needed for a field of {channels} channels",
            hint="a machine with more memory, or smaller images",
        )
    least = memory + lacking / SPARED
    return BudgetError(
        f"an answer does not fit into a memory of {memory / 2**30:.2f} GiB",
        found=f"a field of {channels} channels, blended tile by tile",
        hint=f"a memory of at least {1.02 * least / 2**30 + 0.01:.2f} GiB",
    )
