"""`vesalius complete`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._outcome import Outcome, add


def complete(
    model: Path = typer.Argument(help="What `vesalius shape` wrote."),
    source: Path = typer.Argument(metavar="SOURCE", help="A mask or a mesh of which a part may be missing."),
    out: Path = typer.Option(..., "--output", "-o", help="A new folder for the completed surface."),
    label: str | None = typer.Option(
        None, "--label", help="The mask's label.", show_default="that of the model, or the only one"
    ),
    missing: Path | None = typer.Option(
        None, "--missing", help="A mask on the same grid, not 0 where nothing is known."
    ),
    whole: bool = typer.Option(False, "--whole", help="Nothing is missing: say how unusual the shape is."),
) -> Outcome:
    """Complete what is missing of an anatomy by a shape model, with a band; or say how unusual a whole one is."""
    from vesalius.verbs.complete import complete as verb

    found = verb(model, source, out, label=label, missing=missing, whole=whole)

    def show() -> None:
        typer.echo(found.document["said"])
        for name, path in found.files.items():
            typer.echo(f"{name:<13} {path}")

    files = {name: str(path) for name, path in found.files.items()}
    warnings = [("note", note) for note in found.completion.notes]
    return Outcome({"out": str(out), "files": files, **found.document}, show, warnings=warnings)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "complete", complete)
