"""What a piece of work may use at most: seconds, bytes and joules, read from what a person wrote."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from vesalius.core.errors import BudgetError
from vesalius.plan.budget import seconds

_NUMBER = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z]*)")
_BYTES = {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30,
          "tib": 2.0**40, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}  # fmt: skip
_JOULES = {"J": 1.0, "j": 1.0, "kJ": 1e3, "MJ": 1e6, "Wh": 3.6e3, "wh": 3.6e3, "kWh": 3.6e6, "kwh": 3.6e6}
MEMORY, ENERGY = "4GB, 800MB, 2GiB", "50Wh, 0.2kWh, 900J"


@dataclass(frozen=True, slots=True)
class Allowance:
    """The most that may be used, in seconds, bytes and joules; None where there is no limit."""

    time_s: float | None = None
    memory_bytes: int | None = None
    energy_j: float | None = None

    def __bool__(self) -> bool:
        """Whether anything is limited."""
        return (self.time_s, self.memory_bytes, self.energy_j) != (None, None, None)


def allowance(
    time: str | float | None = None,
    *,
    memory: str | int | None = None,
    energy: str | float | None = None,
) -> Allowance:
    """Return the limits that are written so: "10m" or seconds, "4GB" or bytes, "50Wh" or joules. Raises BudgetError."""
    return Allowance(
        None if time is None else seconds(time),
        None if memory is None else memory_of(memory),
        None if energy is None else energy_of(energy),
    )


def memory_of(text: str | int) -> int:
    """Return bytes from '4GB' (of 10⁹), '2GiB' (of 2³⁰), '800MB' or a number of bytes. Raises BudgetError."""
    text = text.lower() if isinstance(text, str) else text
    return int(_read(text, {**_BYTES, "": 1.0}, "an amount of memory", MEMORY))


def energy_of(text: str | float) -> float:
    """Return joules from '50Wh', '0.2kWh', '900J', or from a number of joules. Raises BudgetError.

    A text without its unit is refused, as it may mean watt hours as well; and MJ is a million joules, mJ none.
    """
    return _read(text, _JOULES, "an amount of energy", ENERGY)


def _read(text: str | float, units: dict[str, float], what: str, hint: str) -> float:
    if isinstance(text, str):
        found = _NUMBER.fullmatch(text.strip())
        if found is None or found[2] not in units:
            raise BudgetError(f"'{text}' is not {what}", hint=hint)
        value = float(found[1]) * units[found[2]]
    else:
        value = float(text)
    if not math.isfinite(value) or value <= 0:
        raise BudgetError(f"'{text}' is not {what}", hint=hint)
    return value


def memory_written(n: float) -> str:
    """Return bytes as a memory limit is written: 800MB, 4.2GB."""
    return f"{_short(n / 1e9)}GB" if n >= 1e9 else f"{max(1, math.ceil(n / 1e6))}MB"


def energy_written(joules: float) -> str:
    """Return joules as an energy limit is written: 35J, 4.2Wh, 1.3kWh."""
    if joules < 3.6e3:
        return f"{_short(joules)}J"
    return f"{_short(joules / 3.6e3)}Wh" if joules < 3.6e6 else f"{_short(joules / 3.6e6)}kWh"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
