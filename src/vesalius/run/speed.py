"""Speed: how long answers took while a run was scored, kept in its folder, so that it need not be measured again."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vesalius.core.bundle import Bundle
from vesalius.core.disk import write_text
from vesalius.evaluate.cards.known import weights_hash
from vesalius.evaluate.decision import Cost, Timed
from vesalius.run.engineering import machine_facts

SPEED = "speed.json"
RECORDED = "the seconds are those recorded when the run was scored"


def keep_speed(path: Path, bundle: Bundle, seconds: Sequence[float], device: str) -> None:
    """Write into a run's folder how long its answers took; nothing where there were none. Raises OutputError."""
    if not seconds:
        return
    facts = machine_facts()
    where = facts["processor"] if device == "cpu" else facts["graphics card"]
    found = {
        "weights": weights_hash(bundle),
        "device": device,
        "machine": where,
        "seconds": [round(s, 6) for s in seconds],
    }
    write_text(path / SPEED, json.dumps(found, indent=1) + "\n")


def recorded_speed(bundle: Bundle, cost: Cost) -> Cost:
    """Return the cost with the seconds that the run around the bundle recorded of these very weights, if it did."""
    try:
        found = json.loads((bundle.path.parent / SPEED).read_text(encoding="utf-8"))
        taken = [float(s) for s in found["seconds"]]
        if found["weights"] != weights_hash(bundle) or not taken:
            return cost
        machine = str(found["machine"])
    except (OSError, ValueError, KeyError, TypeError):
        return cost
    return replace(cost, seconds=timed(taken), machine=machine, how=RECORDED)


def speed_facts(seconds: Sequence[float]) -> dict[str, str]:
    """Return how long an answer took, by name and in words; nothing where there were none."""
    if not seconds:
        return {}
    found = timed(seconds)
    return {"seconds a case": f"{found.median:.3g}, from {found.low:.3g} to {found.high:.3g}"}


def timed(seconds: Sequence[float]) -> Timed:
    """Return the median of some times without the first, if there are more: it builds what others find."""
    kept = list(seconds[1:] or seconds)
    return Timed(statistics.median(kept), min(kept), max(kept), len(kept))
