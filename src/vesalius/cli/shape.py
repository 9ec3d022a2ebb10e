"""`vesalius shape`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.words import counted


def shape(
    talk: Talk,
    data: Path = typer.Argument(help="A cohort with masks, or a folder of meshes."),
    out: Path = typer.Option(
        ..., "--output", "-o", help="A new folder; the same again goes on where it was."
    ),
    label: str | None = typer.Option(
        None, "--label", help="The label that is learned.", show_default="the only one"
    ),
    target: str | None = typer.Option(
        None, "--target", help="The target that is drawn.", show_default="the only one"
    ),
    points: int = typer.Option(1000, "--points", min=50, help="How many vertices the model has, about."),
    without_size: bool = typer.Option(False, "--without-size", help="Take size out: a model of form alone."),
    turned: bool = typer.Option(False, "--turned", help="Directions are not those of LPS, and are found."),
    keep_unusual: bool = typer.Option(
        False, "--keep-unusual", help="Learn from shapes far outside of the others, too."
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a mask's value stands for; can be repeated."
    ),
    max_set_aside: float = typer.Option(
        0.25, "--max-set-aside", help="The share of cases to bear that have no shape to learn from."
    ),
    seed: int = typer.Option(0, "--seed", help="Of what is drawn for the figures."),
) -> Outcome:
    """Learn how the surface of one anatomy differs between people: a model that completes, draws and scores shapes."""
    from vesalius.verbs.shape import shape as verb

    found = verb(
        data,
        out,
        label=label,
        target=target,
        points=points,
        without_size=without_size,
        turned=turned,
        keep_unusual=keep_unusual,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        max_set_aside=max_set_aside,
        seed=seed,
        progress=talk.progress,
    )

    def show() -> None:
        model = found.model
        typer.echo(
            f"{counted(model.shapes, 'shape')}: {counted(len(model.variances), 'mode')}, {model.sound} beyond chance"
        )
        for name, why in found.left_out.items():
            typer.echo(f"left out      {name}: {why}")
        typer.echo(f"model         {found.path}")
        typer.echo(f"page          {found.page}")

    files = {"model": str(found.path), "page": str(found.page), "json": str(out / "shape.json")}
    return Outcome({"out": str(out), "files": files, **found.document}, show)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "shape", shape)
