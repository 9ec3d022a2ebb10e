"""How the result of `harmonise` is printed: what must be read first, then a line for each way that was tried."""

from __future__ import annotations

import typer
from rich.markup import escape
from rich.table import Table

from vesalius.cli._show import console, figure
from vesalius.core.words import counted
from vesalius.reliability.told import Guessed, Told
from vesalius.verbs.harmonise import Harmonised, Tried


def show_harmonised(found: Harmonised) -> None:
    """Print the notes, and the figures of each way."""
    for note in found.said:
        console().print(f"[bold yellow]note:[/] {escape(note)}", soft_wrap=True)
    each = ", ".join(f"{name} {n}" for name, n in found.scanners.items())
    limit = "" if found.threshold is None else f"; threshold {found.threshold:g}"
    title = f"{found.data}: {found.of} of {counted(found.patients, 'patient')} by {found.by} ({each}){limit}"
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
    names = ["way", "spread (95 %)", "held", f"{found.by} told, AUC", "accuracy (chance)"]
    names += [] if found.target is None else [found.target]
    for name in (*names, "order kept", "undo"):
        table.add_column(escape(name))
    for one in found.tried:
        table.add_row(*map(escape, _cells(one, with_target=found.target is not None)))
    console().print(table)
    typer.echo(f"chosen     {found.chosen or 'none'}")
    if found.out is not None:
        typer.echo(f"written    {found.out}")


def _cells(one: Tried, *, with_target: bool) -> list[str]:
    if one.spread is None:
        return [one.method, one.failed]
    held = "" if one.held is None else "yes" if one.held else "no"
    told = one.told
    accuracy = "-" if told is None else f"{figure(told.accuracy)} ({told.chance:.2f})"
    cells = [one.method, figure(one.spread.value), held, figure(told.auc if told else None), accuracy]
    if with_target:
        cells.append(_effect(one.effect))
    return [*cells, "-" if one.kept is None else f"{one.kept:.3f}", "yes" if one.undo else "no"]


def _effect(effect: Told | Guessed | None) -> str:
    if isinstance(effect, Guessed):
        return f"error {figure(effect.mae)}, of the mean alone {effect.mean_only:.3f}"
    return "-" if effect is None else f"AUC {figure(effect.auc)}"
