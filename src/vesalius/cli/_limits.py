"""The options that every long verb shares: what it may use at most, and what its energy means."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import typer

from vesalius.core.progress import Progress

PANEL = "Limits and energy"
_TEXT = str | None
_OPTIONS: Mapping[str, tuple[Any, Any]] = {
    "time_limit": (
        _TEXT,
        typer.Option(
            None, "--time-limit", help="End by then, in order: 90s, 10m, 1h30m.", rich_help_panel=PANEL
        ),
    ),
    "memory_limit": (
        _TEXT,
        typer.Option(
            None, "--memory-limit", help="Never hold more memory: 800MB, 4GB.", rich_help_panel=PANEL
        ),
    ),
    "energy_limit": (
        _TEXT,
        typer.Option(
            None, "--energy-limit", help="End when so much is used: 50Wh, 900J.", rich_help_panel=PANEL
        ),
    ),
    "carbon_intensity": (
        _TEXT,
        typer.Option(
            None,
            "--carbon-intensity",
            help="Grammes of CO₂ of a kWh, or a country such as DEU, to say them of the energy.",
            show_default="nothing is said",
            rich_help_panel=PANEL,
        ),
    ),
    "price_kwh": (
        float | None,
        typer.Option(
            None,
            "--price-kwh",
            help="Of a kWh, to say what the energy costs.",
            show_default="nothing is said",
            rich_help_panel=PANEL,
        ),
    ),
}


def parameters(own: Mapping[str, inspect.Parameter]) -> list[inspect.Parameter]:
    """Return the shared options that a verb has none of its own for; a verb that plans for its time has that one."""
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=kind)
        for name, (kind, option) in _OPTIONS.items()
        if name not in own
    ]


class Speaking(Protocol):
    """Whoever shows progress, and says at the end what was used."""

    used: Mapping[str, Any] | None

    @property
    def progress(self) -> Progress:
        """What is shown while the work lasts."""


@contextmanager
def kept(told: Mapping[str, Any], talk: Speaking, began: Callable[[], float] | None) -> Iterator[None]:
    """Do what is inside within the limits that were told; afterwards `talk` knows what was used. None told is no limit.

    `began` returns when the process began, where the verb is all of it.
    """
    if all(value is None for value in told.values()):
        yield
        return
    from vesalius.plan.tariff import tariff
    from vesalius.run.limits.allowance import allowance
    from vesalius.run.limits.said import sentence
    from vesalius.run.limits.watch import within

    allowed = allowance(
        told.get("time_limit"), memory=told.get("memory_limit"), energy=told.get("energy_limit")
    )
    rates = tariff(told.get("carbon_intensity"), told.get("price_kwh"))
    with within(allowed, rates=rates, began=began() if began else None) as watch:
        yield
    talk.used = watch.used()
    talk.progress.note(sentence(talk.used))
