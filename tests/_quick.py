"""Fits that only have to be there: what takes seconds in them, and shows nothing that a test asks, is made short."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest


@contextmanager
def quick() -> Iterator[None]:
    """Fits time a step or two, look at validation cases twice at most where nothing is said of it, resample their
    cases fifty times, also where sources, rivals and models are compared, and lay their drawings out
    without measuring labels.

    So it is seen that there are intervals and drawings; what these show is asked where they are made (`evaluate`,
    `metrics`, `answers`). Where no test needs torch, there are no fits, and it is not imported for them.
    """
    if "torch" not in sys.modules:
        yield
        return
    from vesalius.answers.drawing import figures
    from vesalius.compress import gate, held_out
    from vesalius.core.plan import Plan, override
    from vesalius.evaluate import adding, rivals, scoring
    from vesalius.run import budgeting, out_of_fold, planning

    cards = import_module("vesalius.verbs.card")

    with pytest.MonkeyPatch.context() as patch:
        time_step, budgeted = budgeting.time_step, planning.budgeted

        def timed(*args: Any, seconds: float, **options: Any) -> float:
            return time_step(*args, **{**options, "steps": 2 if seconds else 1}, seconds=min(0.3, seconds))

        def planned(space: Any, plan: Plan, *args: Any, **options: Any) -> Any:
            if "train.validations" not in plan.reasons:
                plan = override(plan, {"train.validations": 2}, reason="a test")
            return budgeted(space, plan, *args, **options)

        patch.setattr(budgeting, "time_step", timed)
        patch.setattr(planning, "budgeted", planned)
        for scores in (scoring, out_of_fold, held_out):
            patch.setattr(scores, "scorecard", functools.partial(scores.scorecard, resamples=50))
        patch.setattr(adding, "RESAMPLES", 50)
        patch.setattr(cards, "decide", functools.partial(cards.decide, resamples=50))
        for compares in (rivals.Rivals.found, gate.measured):
            patch.setitem(compares.__kwdefaults__, "resamples", 50)
        patch.setattr(figures, "LAYOUT", None)
        yield
