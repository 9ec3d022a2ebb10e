"""`vesalius phantom`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import typer

from vesalius.cli._app import shown_progress
from vesalius.core.words import counted


class Kind(StrEnum):
    """How a phantom is written."""

    nifti = "nifti"
    png = "png"
    dicom = "dicom"


class Assignment(StrEnum):
    """How its treatment was given."""

    randomised = "randomised"
    confounded = "confounded"


class Size(StrEnum):
    """How large its studies are."""

    small = "small"
    full = "full"


def phantom(
    out: Path = typer.Argument(help="A new folder."),
    cases: int = typer.Option(60, "--cases", min=1, help="How many patients."),
    seed: int = typer.Option(0, "--seed", min=0, help="The same seed gives the same bytes."),
    size: Size = typer.Option(Size.small, "--size", help="small for trying out, full for real volumes."),
    kind: Kind = typer.Option(Kind.nifti, "--format", help="How to write it."),
    assignment: Assignment = typer.Option(
        Assignment.randomised, "--treatment", help="How treatment was assigned."
    ),
) -> None:
    """Make a synthetic cohort of abdominal CT studies whose truth is known."""
    from vesalius.verbs.phantom import phantom as verb

    made = verb(
        out,
        cases=cases,
        seed=seed,
        size=size.value,
        format=kind.value,
        assignment=assignment.value,
        progress=shown_progress(),
    )
    typer.echo(f"{counted(cases, 'case')} in {made}; README.md there says what is what")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("phantom")(phantom)
