"""What a scorecard keeps of single survival curves, and the rows that come of it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from vesalius.core.image import Array
from vesalius.core.numbers import finite
from vesalius.core.scorecard import Scorecard
from vesalius.metrics import Rows
from vesalius.metrics import curve as judge

Y, SAID = ("time_days", "cause", "entry_days"), ("risk", "rank", "own", "beyond")


def case_of(rows: Rows, index: int) -> dict[str, Any]:
    """Return what happened to a case, its risk, and under `curve` its survival and incidence by day.

    Of several events it is a mapping an event, under `events`. A time that is not known is None.
    """
    found = {event: _one(rows, event, index) for event in judge.events(rows)}
    return found[""] if list(found) == [""] else {"events": found}


def again(card: Scorecard) -> Rows | None:
    """Return the rows that a scorecard was computed from; None where its cases do not hold them."""
    judged = card.curves.get("judged")
    if not judged or not card.cases:
        return None
    columns: dict[str, Array] = {}
    real = []
    for event in judged:
        cases = [case["events"][event] if event else case for case in card.cases]
        if any("curve" not in case for case in cases):
            return None
        tail = f"/{event}" if event else ""
        real.append(np.array([[_number(case[name], judge.UNKNOWN) for name in Y] for case in cases]))
        columns |= {f"{name}{tail}": np.array([_number(c[name]) for c in cases]) for name in SAID}
        for name in cases[0]["curve"]:
            columns[f"{name}{tail}"] = np.array(
                [[_number(v) for v in c["curve"][name].values()] for c in cases], np.float64
            ).reshape(len(cases), -1)
    info = {event: judge.Judged(**{k: _tuple(v) for k, v in one.items()}) for event, one in judged.items()}
    columns["y"] = np.concatenate(real, axis=1)
    return Rows(
        tuple(str(case["case"]) for case in card.cases),
        columns,
        {"events": info, "labels": tuple(card.labels)},
    )


def judged_of(rows: Rows) -> dict[str, Any]:
    """Return how each event is judged, as JSON takes it."""
    return {event: asdict(judge.judged(rows, event)) for event in judge.events(rows)}


def _one(rows: Rows, event: str, index: int) -> dict[str, Any]:
    about = judge.judged(rows, event)
    place = 3 * judge.events(rows).index(event)
    real = [float(v) for v in rows["y"][index, place : place + 3]]
    known = real[0] != judge.UNKNOWN
    said = {name: float(judge.column(rows, name, event)[index]) for name in SAID}
    curves: dict[str, Mapping[str, float]] = {}
    for name in ("survival", *(f"incidence:{c}" for c in judge.all_told(rows, event))):
        line = judge.column(rows, name, event)[index]
        curves[name] = {f"{t:.17g}": float(v) for t, v in zip(about.times, line, strict=True)}
    found = dict(zip(Y, real if known else (None, None, None), strict=True)) | said | {"curve": curves}
    return dict(finite(found))


def _number(value: float | None, otherwise: float = float("nan")) -> float:
    return otherwise if value is None else float(value)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
