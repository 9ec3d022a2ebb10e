"""A kind of answer of another package, Gaze: its dataclass, its file in answers/ and its metrics."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from vesalius.core import encoding, registry

FILES = {
    "core.answers": '''"""Gaze: where a reader looks first, and for how long."""
from dataclasses import dataclass
from vesalius.core.answers import Answer

@dataclass(frozen=True, eq=False, kw_only=True)
class Gaze(Answer):
    """One place `(y, x)` and a duration."""

    at: tuple[float, float]
    seconds: float
''',
    "answers": '''"""Gaze: where a reader looks first, and for how long."""
from vesalius.answers.contract import Handling
from otherlab.core_answers.gaze import Gaze

TARGETS = ("gaze",)

class GazeHandling(Handling[Gaze]):
    kind = Gaze
    headlines = ("miss",)
    metric_names = {"miss": "Mean miss"}
    baseline = "the middle of the image"
    draws = True

    def columns(self, answer):
        return {"y": answer.at[0], "x": answer.at[1], "seconds": answer.seconds}

    def draw(self, axes, answer, image, shown):
        axes.plot([answer.at[1]], [answer.at[0]], "o", color="red")

    def rate(self, answer, truth, measured):
        miss = abs(answer.seconds - truth)
        return -miss, f"{miss:.1f} s off"

HANDLING = GazeHandling()
''',
    "metrics": '''"""Metrics of Gaze: how far off the duration is."""
import numpy as np
from vesalius.metrics import Rows

ANSWER = "Gaze"
DESCRIPTIONS = {"miss": {"text": "mean error", "better": "lower", "low": 0.0, "high": None, "unit": "s"}}

def rows(answers, truths):
    miss = np.array([abs(a.seconds - t) for a, t in zip(answers, truths, strict=True)])
    return Rows(tuple(a.case_id for a in answers), {"miss": miss})

def summary(rows, index):
    return {"miss": float(rows["miss"][index].mean())}

def counts(rows):
    return {}

def excluded(rows):
    return {}

def baseline(truths):
    return float(np.mean(truths))
''',
}


@contextmanager
def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, **more: str) -> Iterator[Any]:
    """The class Gaze, while the package is there; `more` are further files of it, by their kind."""
    files = FILES | more
    package = folder / "otherlab"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for kind, text in files.items():
        room = package / kind.replace(".", "_")
        room.mkdir()
        (room / "__init__.py").write_text("")
        (room / "gaze.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))

    def points(*, group: str) -> list[EntryPoint]:
        kind = group.removeprefix("vesalius.")
        module = f"otherlab.{kind.replace('.', '_')}.gaze"
        return [EntryPoint("gaze", module, group)] if kind in files else []

    monkeypatch.setattr(registry.metadata, "entry_points", points)
    cached = (registry.stems, registry.literals, registry.names, encoding._hints)
    for function in cached:
        function.cache_clear()
    try:
        yield registry.lookup("core.answers", "gaze").Gaze
    finally:
        for function in cached:
            function.cache_clear()
        for name in [n for n in sys.modules if n.startswith("otherlab")]:
            del sys.modules[name]
