"""What a piece of work used, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vesalius.plan.tariff import words
from vesalius.run.limits.allowance import memory_written


def sentence(used: Mapping[str, Any]) -> str:
    """Return what `Watch.used` says, for a person: seconds, the most memory, and the energy with what it means."""
    return (
        f"used {used['time_s']:.1f} s, at most {memory_written(used['peak_bytes'])} of memory "
        f"and {words(used['energy'])}"
    )
