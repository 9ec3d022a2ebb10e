"""`vesalius index`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.words import counted, listed


def index(
    talk: Talk,
    bundle: Path = typer.Argument(help="A bundle, or the run that holds it."),
    data: Path = typer.Argument(help="A cohort: a folder, a table, DICOM, NIfTI …"),
    out: Path = typer.Option(
        ..., "--output", "-o", help="A new folder for the index; with --add, the index."
    ),
    of: str = typer.Option("images", "--of", help="What is found: images, or reports."),
    onto: bool = typer.Option(
        False, "--add", help="Add the cases to the index that is there; those that are in it are passed over."
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on with an index whose making was stopped."),
    target: str | None = typer.Option(
        None, "--target", help="Which target is named beside a case.", show_default="the only one"
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
    accept_mismatch: bool = typer.Option(
        False,
        "--accept-mismatch",
        help="Take images of another modality or unit than the bundle learned from, too.",
    ),
) -> Outcome:
    """Write a vector of each case's images, or report, into a folder in which `vesalius find` finds the nearest."""
    from vesalius.verbs.index import index as verb
    from vesalius.verbs.index import told_of

    made = verb(
        bundle,
        data,
        out,
        of=cast("Literal['images', 'reports']", of),
        add=onto,
        resume=resume,
        target=target,
        columns=pairs(column, "--column"),
        layout=layout,
        device=device,
        accept_mismatch=accept_mismatch,
        progress=talk.progress,
    )

    def show() -> None:
        typer.echo(f"{made.path}: {made.of} of {counted(made.cases, 'case')}")
        if onto:
            typer.echo(f"added {counted(made.new, 'case')}; {made.already} were in it already")
        typer.echo(
            "it is asked in words, with an image, or with both" if made.reads else "it is asked with an image"
        )
        typer.echo(f"the nearest are found: {made.way} ({made.why})")
        if made.set_aside:
            few = [f"{item.case}: {item.reason}" for item in made.set_aside]
            typer.echo(f"set aside {counted(len(few), 'case')}: {listed(few, 3)}", err=True)

    return Outcome(told_of(made), show, code=1 if made.set_aside else 0)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "index", index)
