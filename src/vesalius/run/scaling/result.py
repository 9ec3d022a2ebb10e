"""Scaling: what larger nets, more labels and more compute brought and would bring, as numbers and as files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vesalius.core.disk import write_text
from vesalius.core.numbers import finite
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.run.scaling.study import LABELS, PARAMETERS, Check, Place, Study
from vesalius.run.scaling.words import sentences
from vesalius.scaling.forecast import LEVEL, Curve, Forecast
from vesalius.scaling.optimum import Optimum
from vesalius.scaling.trend import WHY

JSON, PAGE = "scale.json", "scale.html"


@dataclass(frozen=True, eq=False)
class Scaling(Shown):
    """What fits of nets of several sizes on growing shares of the training patients came to, and the laws of it.

    `places` hold loss and score of every seed, measured on `held_cases` that no fit learned from and that are not the
    test's. `studies` are the curves of the loss and, where the score goes from 0 to 1, of the error (1 less the score).
    `optimum` is the size for the largest measured compute, where parameters and steps follow a law. `failed` are fits
    that came to nothing; `notes` must be read before the figures.
    """

    data: str
    data_hash: str
    task: str
    target: str
    primary: str
    net: str
    steps: int
    batch: int
    seeds: tuple[int, ...]
    held_cases: int
    held_patients: int
    patients_known: bool
    split: str
    flops_by: str
    places: tuple[Place, ...]
    studies: tuple[Study, ...]
    optimum: Optimum | None = None
    failed: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it comes to, in plain sentences."""
        return sentences(self.studies, self.optimum, batch=self.batch)

    def study(self, measure: str = "loss") -> Study | None:
        """Return the curves of `loss` or of `error`; None where they are not known."""
        return next((s for s in self.studies if s.measure == measure), None)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        left_out = ("places", "studies", "optimum", "path")
        plain = {k: v for k, v in vars(self).items() if k not in left_out}
        found: dict[str, Any] = finite(
            {
                **plain,
                "seeds": list(self.seeds),
                "notes": list(self.notes),
                "level": LEVEL,
                "sentences": list(self.sentences),
                "places": [asdict(place) for place in self.places],
                "studies": [_study(study) for study in self.studies],
                "optimum": None if self.optimum is None else asdict(self.optimum),
            }
        )
        return found

    def _words(self) -> Iterable[str]:
        yield self.data
        yield f"{counted(len(self.places), 'place')}, {counted(len(self.seeds), 'seed')}"
        yield "; ".join(self.sentences[:3])


def write(found: Scaling, folder: Path) -> dict[str, Path]:
    """Write `scale.json` and `scale.html` into a folder, in place of earlier ones. Raises OutputError."""
    write_text(folder / JSON, json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n")
    (folder / PAGE).unlink(missing_ok=True)
    found.show(folder / PAGE)
    return {"table": folder / JSON, "page": folder / PAGE}


def _study(study: Study) -> dict[str, Any]:
    curves = {
        "labels": study.labels,
        "parameters": study.parameters,
        "joint": study.joint,
        "steps": study.steps,
    }
    return {
        "measure": study.measure,
        "curves": {name: None if one is None else _curve(one) for name, one in curves.items()},
        "forecasts": {
            f"{thing} ×{factor}": _forecast(study.ahead(thing, factor)[2])
            for thing in (LABELS, PARAMETERS)
            for factor in (2, 4)
        },
        "check": None if study.check is None else _check(study.check),
    }


def _curve(one: Curve) -> dict[str, Any]:
    law = None if one.law is None else asdict(one.law)
    return {"law": law, "why": WHY.get(one.why, ""), "trends": list(one.trends)}


def _forecast(one: Forecast) -> dict[str, Any]:
    return {**asdict(one), "x": list(one.x), "far": one.far}


def _check(one: Check) -> dict[str, Any]:
    return {
        "forecast": _forecast(one.forecast),
        "measured": one.measured,
        "carried": one.carried,
        "spread": one.spread,
        "held": one.held,
    }
