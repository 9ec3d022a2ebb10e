"""Energy: what answering costs in joules, read from the processor where it says it, else estimated from its time."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
WATTS = 10.0  # of one busy core, an assumption: server and laptop processors have from 3 to 20
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
    containers and for users without the right, are not there; then the processor time of this process is multiplied by
    `watts` of one busy core, which is an estimate and is called one.
    """

    def __init__(self, *, watts: float = WATTS, root: Path = POWERCAP) -> None:
        self._watts, self._zones = watts, _zones(root)
        self._began = [zone.read() for zone in self._zones]
        self._cpu = time.process_time()

    def stop(self) -> Energy:
        """Return the energy since the beginning."""
        cpu_s = time.process_time() - self._cpu
        try:
            ended = [zone.read() for zone in self._zones]
        except (OSError, ValueError):
            ended = []
        if ended:
            used = sum(_since(*pair) for pair in zip(self._zones, self._began, ended, strict=True))
            return Energy(used / 1e6, MEASURED, "RAPL: all that ran on the processors meanwhile")
        text = f"{cpu_s:.3g} s of processor time × {self._watts:g} W, assumed of one busy core"
        return Energy(cpu_s * self._watts, ESTIMATED, text)


def _since(zone: _Zone, began: int, ended: int) -> int:
    return ended - began if ended >= began else ended + zone.wraps - began


def _zones(root: Path) -> Sequence[_Zone]:
    """Return the counters of whole processors that can be read."""
    found = []
    try:
        places = sorted(root.iterdir())
    except OSError:
        return []
    for place in places:
        if not _PACKAGE.match(place.name):
            continue
        try:
            zone = _Zone(place, int((place / "max_energy_range_uj").read_text(encoding="ascii")))
            zone.read()
        except (OSError, ValueError):
            continue
        found.append(zone)
    return found
