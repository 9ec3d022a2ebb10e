"""The energy that a run took, a piece of work at a time, kept in its folder however often it was gone on with."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius.core.disk import write_text
from vesalius.core.errors import VesaliusError
from vesalius.core.words import counted
from vesalius.infer.predictor import device_of
from vesalius.learn.parallel import crew as crews
from vesalius.plan.energy import ESTIMATED, MEASURED, WATTS, Energy, Meter, added
from vesalius.plan.energy_tracker import LIBRARY
from vesalius.plan.tariff import NONE, record
from vesalius.run.limits.watch import current

SPENT = "energy.json"
TRAINING, SCORING, ANSWERING = "training", "scoring", "answering"
WITHOUT_GPU = "; without the graphics card, whose energy is not read"
WITHOUT_MACHINES = "; without the other machines that trained, whose energy is not read"


class Metered:
    """A block whose energy is measured; after it, `taken` is that as a scorecard has it.

    It comes with what the limits around the block declare of carbon and price. Where several processes train together,
    the processor time of the others is counted in, as of one busy core each; counters of a processor have it already.
    """

    def __init__(self, device: str | None) -> None:
        self.taken: dict[str, Any] = {}
        self._gpu = device_of(device).type != "cpu"

    def __enter__(self) -> Metered:
        """Begin to measure."""
        self._crew = crews.current()
        self._others_s = self._crew.others_s
        self._began, self._meter = time.monotonic(), Meter(long=True)
        return self

    def __exit__(self, *error: object) -> None:
        """Measure no more, however the block ended."""
        seconds, found = time.monotonic() - self._began, self._with_others(self._meter.stop())
        if self._gpu and LIBRARY not in found.text:
            found = Energy(found.joules, found.how, found.text + WITHOUT_GPU)
        self.taken = _priced(found, seconds)

    def _with_others(self, own: Energy) -> Energy:
        """Return the energy with that of the other processes of a training."""
        crew, used_s = self._crew, self._crew.others_s - self._others_s
        if own.how == MEASURED:
            several = crew.size > crew.local_size
            return replace(own, text=own.text + WITHOUT_MACHINES) if several else own
        if used_s <= 0:
            return own
        many = counted(crew.size - 1, "other process", "other processes")
        text = f"{used_s:.3g} s of processor time of {many} × {WATTS:g} W"
        return added((own, Energy(used_s * WATTS, ESTIMATED, text))) or own


def _priced(energy: Energy, seconds: float) -> dict[str, Any]:
    watch = current()
    return dict(record(energy, NONE if watch is None else watch.rates, seconds=seconds))


@contextmanager
def spending(path: Path, name: str, device: str | None) -> Iterator[None]:
    """Measure what is done inside, and add it to what the run in `path` has spent under `name`, however it ends.

    A process that is killed cannot say what it took; that it began is known, so that the sum says "at least".
    """
    before = _read(path)
    sittings = [*before.get(name, []), {"began": time.time()}]
    _write(path, {**before, name: sittings})
    metered = Metered(device)
    try:
        with metered:
            yield
    finally:
        sittings[-1] = {**sittings[-1], **metered.taken}
        with suppress(VesaliusError):  # a full disk must not hide why the work ended
            _write(path, {**before, name: sittings})


def spent(path: Path) -> dict[str, dict[str, Any]]:
    """Return what a run has spent by piece of work, all of its sittings added, as a scorecard has it."""
    found = {}
    for name, sittings in _read(path).items():
        done = [s for s in sittings if "joules" in s]
        total = added(Energy(s["joules"], s["how"], s["from"]) for s in done)
        if total is None:
            continue
        found[name] = _priced(total, sum(s["seconds"] for s in done))
        if len(done) < len(sittings):
            found[name]["at_least"] = True
    return found


def _read(path: Path) -> Mapping[str, list[dict[str, Any]]]:
    with suppress(OSError, ValueError):
        found = json.loads((path / SPENT).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def _write(path: Path, found: Mapping[str, Any]) -> None:
    write_text(path / SPENT, json.dumps(found, indent=1) + "\n")
