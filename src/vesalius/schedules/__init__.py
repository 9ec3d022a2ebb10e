"""Schedules: one file = one course of the learning rate after its warm-up.

A schedule's file declares literals that are read without importing it (see `core/options.py`):

    OPTIONS = {"power": 0.9}             its own options with their defaults
    LIMITS = {"power": {"gt": 0}}        what values they take

and has `factor(t, options) -> float`: the share of the planned rate at `t`, from 0 after the warm-up to 1 at the end.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from vesalius.core import registry
from vesalius.core.joining import literals_in, options_in
from vesalius.core.options import options_of

__all__ = ["MUST", "adopt", "factor"]
MUST = ("factor",)


def adopt(thing: Any, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a schedule's file would hold, of a function of `t` and of options with defaults.

    Raises RegisterError.
    """
    options = options_in(thing, (next(iter(inspect.signature(thing).parameters), ""),))

    def share(t: float, options: Mapping[str, Any]) -> float:
        return float(thing(t, **options))

    return {"OPTIONS": options, **literals_in(thing), **said, "factor": share}


def factor(name: str, t: float, *, options: Mapping[str, Any] | None = None) -> float:
    """Return the share of the planned learning rate at `t`, from 0 after the warm-up to 1 at the end.

    Raises UnknownName for a name or an option that does not exist, PlanError for a value that an option does not take.
    """
    chosen = options_of("schedules", name, options or {}, where="train.schedule_options")
    return float(registry.lookup("schedules", name).factor(t, chosen))
