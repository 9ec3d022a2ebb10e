"""What a bundle keeps for its self-test: made-up inputs, what it answered to them, where, and for what that holds.

    selftest-0.json   {"version", "none" or: "recipe", "inputs": [{"made", "marks"}], "tolerance", "arithmetic",
                       "chosen", "covers", "machine"}

The numbers are rounded to a hundredth of what a self-test allows them to differ. `covers` has a hash of each part that
answers follow from, so that a record is known to be stale where one of them was changed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from vesalius.core.bundle import BUNDLE, RECORD, Bundle, State
from vesalius.core.errors import BundleError
from vesalius.core.marks import Mark
from vesalius.core.sealed import damage_named, digests
from vesalius.infer import runs
from vesalius.infer.selftest import inputs
from vesalius.infer.selftest.inputs import Made, Recipe
from vesalius.infer.selftest.machine import Facts, parse_facts
from vesalius.tasks import contract as tasks

NAME = "selftest"  # of the extra record
VERSION = 1
TOLERANCE: Mapping[str, float] = {"fp32": 1e-3, "bf16": 1e-2, "graph": 1e-2}  # shares of a mark's unit
_FINER = 100  # times finer than what is allowed are numbers kept
_BESIDE = (NAME, RECORD)  # extra records that no answer follows from


@dataclass(frozen=True, slots=True)
class Expected:
    """One made-up input, and the marks of the answer to it."""

    made: Made
    marks: Mapping[str, Mark]


@dataclass(frozen=True, slots=True)
class Record:
    """A self-test as a bundle keeps it. `none` says why there is none; then there are no inputs.

    `tolerance` is how far a mark may lie from the expected one, in its unit, `arithmetic` the precision that answers
    are computed in, and `chosen` says in words how the inputs were chosen.
    """

    covers: Mapping[str, str]
    machine: Facts
    recipe: Recipe = field(default_factory=lambda: Recipe(()))
    inputs: tuple[Expected, ...] = ()
    tolerance: float = TOLERANCE["fp32"]
    arithmetic: str = "fp32"
    chosen: str = ""
    none: str | None = None

    def state(self) -> State:
        """Return the record as an extra record of a stage."""
        values: dict[str, Any] = {
            "version": VERSION,
            "none": self.none,
            "recipe": self.recipe.json(),
            "inputs": [
                {"made": e.made.json(), "marks": [_written(m, self.tolerance) for m in e.marks.values()]}
                for e in self.inputs
            ],
            "tolerance": self.tolerance,
            "arithmetic": self.arithmetic,
            "chosen": self.chosen,
            "covers": dict(self.covers),
            "machine": asdict(self.machine),
        }
        return State(values)


def of(bundle: Bundle) -> Record | None:
    """Return the record of a bundle; None where it has none. Raises BundleError for a newer or a damaged one."""
    state = bundle.stages[-1].extras.get(NAME)
    if state is None:
        return None
    data = state.values
    with damage_named(bundle.path, BUNDLE):
        if data["version"] > VERSION:
            raise BundleError(
                f"{bundle.path} has a self-test of version {data['version']}, newer than is read here ({VERSION})",
                hint="a newer Vesalius",
            )
        expected = tuple(
            Expected(inputs.parse_made(e["made"]), {m["name"]: _read(m) for m in e["marks"]})
            for e in data["inputs"]
        )
        return Record(
            covers=dict(data["covers"]),
            machine=parse_facts(data["machine"]),
            recipe=inputs.parse(data["recipe"]),
            inputs=expected,
            tolerance=float(data["tolerance"]),
            arithmetic=str(data["arithmetic"]),
            chosen=str(data["chosen"]),
            none=data["none"],
        )


def covered(bundle: Bundle) -> dict[str, str]:
    """Return a hash of each part of a bundle that its answers follow from, by the part's name.

    The files are those that the manifest lists; what bundle.json says of a stage is a part of its own.
    """
    listed = digests(bundle.path, BUNDLE)
    found: dict[str, str] = {}
    for k, stage in enumerate(bundle.stages):
        stems = ["plan", "state", *(name for name in stage.extras if name not in _BESIDE)]
        names = [f"{stem}-{k}.{end}" for stem in stems for end in ("json", "safetensors")]
        found |= {name: listed[name][:32] for name in (*names, *stage.members) if name in listed}
        found[f"calibration of stage {k}"] = _hash(dict(stage.calibration))
        found[f"what stage {k} takes"] = _hash([stage.name, stage.members, stage.runtime, stage.takes])
    found["what was learned from"] = _hash(None if bundle.learned is None else bundle.learned.json())
    return found


def stale(bundle: Bundle, record: Record) -> list[str]:
    """Return the parts of a bundle that are not those for which its record was made."""
    now = covered(bundle)
    names = dict.fromkeys((*record.covers, *now))
    return [name for name in names if record.covers.get(name) != now.get(name)]


def arithmetic_of(bundle: Bundle) -> str:
    """Return the lowest precision that any stage of a bundle answers in: `fp32` or `bf16`.

    It is `graph` where members are graphs: their numbers may have 8 bits, which other processors round otherwise.
    """
    if any(stage.runtime != "torch" for stage in bundle.stages):
        return "graph"
    planned = {
        stage.plan.train.precision
        for stage in bundle.stages
        if runs.get(tasks.get(stage.plan.task.name).run).lowers
    }
    return "bf16" if "bf16" in planned else "fp32"


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _written(mark: Mark, tolerance: float) -> dict[str, Any]:
    value: Any = mark.value
    step = (mark.unit or 1.0) * tolerance / _FINER
    if isinstance(value, tuple):
        value = [_rounded(x, step) for x in value]
    elif not isinstance(value, str):
        value = _rounded(value, step)
    data: dict[str, Any] = {"name": mark.name, "value": value}
    if not isinstance(mark.value, str):
        data["unit"] = float(f"{mark.unit or 1.0:.6g}")
    if mark.moved:
        data["moved"] = True
    return data


def _rounded(x: float, step: float) -> float | None:
    """Return a number with as many digits as its step asks for; None for what is not finite."""
    if not math.isfinite(x):
        return None
    return round(x, -math.floor(math.log10(step)))


def _read(data: Mapping[str, Any]) -> Mark:
    value = data["value"]
    if isinstance(value, list):
        value = tuple(math.nan if x is None else float(x) for x in value)
    elif not isinstance(value, str):
        value = math.nan if value is None else float(value)
    return Mark(str(data["name"]), value, unit=data.get("unit"), moved=bool(data.get("moved", False)))
