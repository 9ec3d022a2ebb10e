"""Promise: what a calibration on cases of its own promises of an answer, and the thresholds that hold for one case.

What was fitted lies in a stage's calibration under PROMISE, as plain data:

    {"coverage": 0.9, "way": "lac", "by": {"column": "site", "bounds": []},
     "pooled": {"n": {"": 200}, "at": {"": 0.83}},            a threshold for each name; null leaves nothing out
     "groups": {"A": {"n": {"": 80}, "at": {"": 0.79}}},      of groups with FEW cases at least
     "few": {"B": 12},                                        groups with fewer, which have the pooled thresholds
     "about": {…},                                            what the kind of answer keeps besides
     "on": {"data_hash": …, "cases": 200, "patients": 200, "when": "2026-11-29", "source": "…"}}

`evaluate/conformal.py` fits it. What the numbers mean is the answer's file's business (`strangeness`, `promised`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vesalius.core.case import Case
from vesalius.core.groups import parse
from vesalius.core.words import counted, in_unit, listed

OPTION = "coverage"  # in a plan's `task.options`, whatever the task: what its answers are to promise
PROMISE = "promise"  # in a stage's calibration
WITHHOLD = "withhold"  # in a stage's calibration: the rule by which answers are withheld
LEVELS = (
    "levels"  # the part of an answer that holds how likely each label is at each point, until it is promised
)
FEW = 50  # cases of a group, below which it has no thresholds of its own
OUT_OF_FOLD = "out-of-fold answers of single members"
OWN = "a cohort of its own"


@dataclass(frozen=True)
class Promise:
    """What is promised of one answer; `says` is that in a sentence.

    `coverage` is the promised share, of cases like those of the calibration. It is made of `labels`, a set that holds
    what is so; or of `interval`, in the answer's unit, where None is no bound on that side; or of the answer's part
    that is called `part`; or of each of the `parts`, which say what is promised of them. `group` is the case's group
    whose own thresholds hold, None where those of all cases do. `n` is the number of calibration cases that the
    thresholds stand on, and `remarks` say what weakens the promise.
    """

    coverage: float
    says: str
    labels: tuple[str, ...] | None = None
    interval: tuple[float | None, float | None] | None = None
    part: str | None = None
    unit: str | None = None
    group: str | None = None
    n: int = 0
    remarks: tuple[str, ...] = ()
    parts: tuple[str, ...] = field(default=(), metadata={"stored": "where given"})

    @property
    def share(self) -> str:
        """The promised share in percent."""
        return f"{100 * self.coverage:g} %"

    @property
    def text(self) -> str:
        """What is promised, in a few words: the set, the interval, or which part it is."""
        if self.labels is not None:
            return listed(self.labels) or "none of them"
        if self.interval is not None:
            low, high = self.interval
            unit = in_unit(self.unit)
            if low is None and high is None:
                return "any number"
            if low is None or high is None:
                return f"at most {high:.5g}{unit}" if low is None else f"at least {low:.5g}{unit}"
            return f"{low:.5g} to {high:.5g}{unit}"
        if self.parts:
            return f"an interval for each of {listed(self.parts)}"
        return self.part or ""

    def columns(self) -> dict[str, Any]:
        """Return the promise by the names of its columns in `answers.csv`."""
        found: dict[str, Any] = {"promise": self.coverage}
        if self.labels is not None:
            found["promise_set"] = "|".join(self.labels)
        if self.interval is not None:
            low, high = self.interval
            found["promise_low"] = -math.inf if low is None else low
            found["promise_high"] = math.inf if high is None else high
        return {**found, "promise_group": self.group or "", "promise_remarks": "; ".join(self.remarks)}

    def json(self) -> dict[str, Any]:
        """Return what a client shows of the promise, as JSON takes it."""
        found: dict[str, Any] = {
            "coverage": self.coverage,
            "says": self.says,
            "text": self.text,
            "labels": None if self.labels is None else list(self.labels),
            "interval": None if self.interval is None else list(self.interval),
            "unit": self.unit,
            "part": self.part,
            "group": self.group,
            "n": self.n,
            "remarks": list(self.remarks),
        }
        return {**found, "parts": list(self.parts)} if self.parts else found


@dataclass(frozen=True)
class Limits:
    """The thresholds that hold for one case, by name, with what is to be said of them.

    A threshold is infinite where nothing may be left out: a name that no calibration case had, or too few of them. `n`
    are the calibration cases of each name. `way` is how strangeness was measured, `about` what the kind of answer keeps
    besides.
    """

    coverage: float
    at: Mapping[str, float]
    n: Mapping[str, int]
    way: str = ""
    group: str | None = None
    remarks: tuple[str, ...] = ()
    about: Mapping[str, Any] | None = None

    def of(self, name: str = "") -> float:
        """Return the threshold of a name, infinite where nothing may be left out."""
        return self.at.get(name, math.inf)

    def least(self, names: Sequence[str] = ("",)) -> int:
        """Return the least number of calibration cases that the thresholds of these names stand on."""
        return min((self.n.get(name, 0) for name in names), default=0)

    @property
    def share(self) -> str:
        """The promised share, in words."""
        return f"{100 * self.coverage:g} of 100"


def limits_of(fitted: Mapping[str, Any], case: Case) -> Limits:
    """Return the thresholds that hold for a case: those of its group where it has own ones, else those of all cases.

    Each name has its group's threshold only where FEW cases of the group stand behind it.
    """
    at, n = _read(fitted["pooled"])
    said: list[str] = []
    own: str | None = None
    if fitted.get("by"):
        grouping = parse(fitted["by"])
        group = grouping.of(case)
        held = fitted["groups"].get(group)
        if group is None:
            said.append(f"the case's '{grouping.column}' is not known: the thresholds are those of all cases")
        elif held is None and group in fitted["few"]:
            few = counted(fitted["few"][group], "calibration case")
            said.append(f"only {few} of {grouping.column} '{group}': the thresholds are those of all cases")
        elif held is None:
            said.append(
                f"no calibration case was of {grouping.column} '{group}': the thresholds are those of all cases, "
                "and nothing is promised of this group"
            )
        else:
            own_at, own_n = _read(held)
            if shared := sorted(name for name in at if name not in own_at):
                said.append(
                    f"few cases of {grouping.column} '{group}' for {listed(shared, 4)}: as of all cases"
                )
            at, n, own = {**at, **own_at}, {**n, **own_n}, group
    source = fitted.get("on", {}).get("source", OWN)
    if source != OWN:
        said.append(f"fitted on {source}, so that the promise is not exact")
    return Limits(
        fitted["coverage"], at, n, str(fitted.get("way", "")), own, tuple(said), fitted.get("about")
    )


def _read(fitted: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, int]]:
    at = {name: math.inf if value is None else float(value) for name, value in fitted["at"].items()}
    return at, {name: int(n) for name, n in fitted["n"].items()}
