"""`vesalius morph`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.words import counted


def morph(
    talk: Talk,
    model: Path = typer.Argument(help="What `vesalius shape` wrote."),
    out: Path = typer.Option(..., "--output", "-o", help="A new folder for the meshes."),
    cases: int = typer.Option(10, "--cases", min=1, help="How many anatomies to draw."),
    limit: float = typer.Option(3.0, "--limit", help="Standard deviations that a mode may be off the mean."),
    spacing: float | None = typer.Option(
        None, "--spacing", help="Write masks of this spacing in mm, too.", show_default="meshes alone"
    ),
    seed: int = typer.Option(0, "--seed", help="Of what is drawn."),
) -> Outcome:
    """Draw anatomies from a shape model, as meshes and as masks."""
    from vesalius.verbs.morph import morph as verb

    found = verb(model, out, cases=cases, limit=limit, spacing_mm=spacing, seed=seed, progress=talk.progress)

    def show() -> None:
        typer.echo(f"{counted(len(found.surfaces), 'anatomy', 'anatomies')} in {out}")

    return Outcome(
        {"out": str(out), "cases": len(found.surfaces), "files": [str(p) for p in found.files]}, show
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "morph", morph)
