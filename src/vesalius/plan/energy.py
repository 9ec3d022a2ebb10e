"""Energy: what work costs in joules, read from the processor where it says it, else estimated from its time."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from vesalius.plan.energy_tracker import Tracker, tracked

POWERCAP = Path("/sys/class/powercap")
WATTS = 10.0  # of one busy core, an assumption: server and laptop processors have from 3 to 20
OFTEN_S = 60.0  # a counter of the size that is usual begins anew every few minutes at 1 kW
MEASURED, ESTIMATED = "measured", "estimated"
_PACKAGE = re.compile(r"^[\w-]+:\d+$")  # whole processors; `intel-rapl:0:0` is a part of one


@dataclass(frozen=True, slots=True)
class Energy:
    """Joules, and whether they were `measured` or `estimated`; `text` says from what."""

    joules: float
    how: str
    text: str

    def each(self, n: int) -> Energy:
        """Return the share of one of `n` equal parts."""
        return Energy(self.joules / max(n, 1), self.how, f"{self.text}; of {n} in all")

    @property
    def kwh(self) -> float:
        """The same in kilowatt hours."""
        return self.joules / 3.6e6


def added(parts: Iterable[Energy]) -> Energy | None:
    """Return the energy of several pieces of work, measured only where each was; None of none."""
    each = list(parts)
    if not each:
        return None
    how = MEASURED if all(one.how == MEASURED for one in each) else ESTIMATED
    texts = list(dict.fromkeys(one.text for one in each))
    return Energy(sum(one.joules for one in each), how, " + ".join(texts))


@dataclass(frozen=True, slots=True)
class _Zone:
    """A counter of microjoules that begins anew at `wraps`."""

    path: Path
    wraps: int

    def read(self) -> int:
        return int((self.path / "energy_uj").read_text(encoding="ascii"))


class Meter:
    """Measures from its making until `stop`: the energy of all processors (RAPL), or this process's time on them.

    RAPL counts all that runs on the machine, not this process alone. Counters that cannot be read, as in most
    containers and for users without the right, are not there. Then, of work that is `long`, codecarbon's model of this
    process says what it took where that library is installed; and else the processor time of this process is multiplied
    by `watts` of one busy core. Both are estimates, and are called that.
    """

    def __init__(self, *, watts: float = WATTS, root: Path = POWERCAP, long: bool = False) -> None:
        self._watts, self._zones = watts, _zones(root)
        self._last = [zone.read() for zone in self._zones]
        self._used = [0] * len(self._zones)
        self._cpu, self._began = _processor_s(), time.monotonic()
        self._tracker: Tracker | None = tracked() if long and not self._zones else None
        self._lock, self._over = threading.Lock(), threading.Event()
        if long and self._zones:
            threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        """Read the counters now and then, so that none begins anew twice unseen."""
        while not self._over.wait(OFTEN_S):
            with self._lock:
                self._count()

    def read(self) -> Energy:
        """Return the energy since the beginning, and go on."""
        with self._lock:
            return self._read()

    def _read(self) -> Energy:
        if self._zones and self._count():
            text = "RAPL: all that ran on the processors meanwhile"
            return Energy(sum(self._used) / 1e6, MEASURED, text)
        if self._tracker is not None and self._tracker.covers(self._began):
            found = self._tracker.joules()
            if found is not None:
                return Energy(found, ESTIMATED, self._tracker.text)
        cpu_s = _processor_s() - self._cpu
        text = f"{cpu_s:.3g} s of processor time × {self._watts:g} W, assumed of one busy core"
        return Energy(cpu_s * self._watts, ESTIMATED, text)

    def stop(self) -> Energy:
        """Return the energy since the beginning, and end."""
        found = self.read()
        self._over.set()
        if self._tracker is not None:
            self._tracker.stop()
            self._tracker = None
        return found

    def _count(self) -> bool:
        """Add what the counters say since they were last read; return whether they could be."""
        try:
            now = [zone.read() for zone in self._zones]
        except (OSError, ValueError):
            return False
        for k, (zone, before, after) in enumerate(zip(self._zones, self._last, now, strict=True)):
            self._used[k] += _since(zone, before, after)
        self._last = now
        return True


def full_power_w(*, cores: int, watts: float = WATTS) -> float:
    """Return the watts that are assumed of this machine while all of `cores` compute."""
    return cores * watts


def _processor_s() -> float:
    """Return the processor seconds of this process and of its children, those that have ended, too."""
    living = 0.0
    with suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                living += sum(child.cpu_times()[:4])
    return time.process_time() + sum(os.times()[2:4]) + living


def _since(zone: _Zone, began: int, ended: int) -> int:
    return ended - began if ended >= began else ended + zone.wraps - began


def _zones(root: Path) -> Sequence[_Zone]:
    """Return the counters of whole processors that can be read."""
    found: dict[str, _Zone] = {}
    try:
        places = sorted(root.iterdir(), key=lambda place: ("mmio" in place.name, place.name))
    except OSError:
        return []
    for place in places:
        if not _PACKAGE.match(place.name):
            continue
        try:
            name = (place / "name").read_text(encoding="ascii").strip()
            zone = _Zone(place, int((place / "max_energy_range_uj").read_text(encoding="ascii")))
            zone.read()
        except (OSError, ValueError):
            continue
        if (
            name.startswith("package") and name not in found
        ):  # one may stand there twice, and in the whole platform
            found[name] = zone
    return list(found.values())
