"""`vesalius phantom`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.words import counted


def phantom(
    talk: Talk,
    out: Path = typer.Argument(help="A new folder."),
    kind: str = typer.Option("ct", "--kind", help="What is imaged; see `vesalius phantoms`."),
    cases: int = typer.Option(60, "--cases", min=1, help="How many patients."),
    seed: int = typer.Option(0, "--seed", min=0, help="The same seed gives the same bytes."),
    size: str | None = typer.Option(
        None,
        "--size",
        help="ct: small for trying out, medium, or full for real volumes; pixels a side of most others.",
        show_default="small",
    ),
    format: str | None = typer.Option(
        None,
        "--format",
        help="How to write it; ct: nifti, png or dicom.",
        show_default="the first of the kind's formats",
    ),
    treatment: str | None = typer.Option(
        None,
        "--treatment",
        help="ct: how treatment was assigned, randomised or confounded.",
        show_default="randomised",
    ),
    without: str | None = typer.Option(
        None, "--without", help="Make the twins of the same patients, without this finding; ct: lesion."
    ),
    faults: str | None = typer.Option(
        None,
        "--faults",
        help="NAME=SHARE,…: what is planted once the cohort is drawn; see `vesalius faults`.",
    ),
    settings: list[str] | None = typer.Option(
        None, "--set", help="NAME=VALUE: another option of the kind; can be repeated."
    ),
) -> Outcome:
    """Make a synthetic cohort whose truth is known."""
    from vesalius.verbs.phantom import phantom as verb

    made = verb(
        out,
        kind=kind,
        cases=cases,
        seed=seed,
        size=size,
        format=format,
        assignment=treatment,
        options=pairs(settings, "--set"),
        without=without,
        faults=faults,
        progress=talk.progress,
    )
    result = {"out": made, "kind": kind, "cases": cases, "seed": seed}
    said = f"{counted(cases, 'case')} in {made}; README.md there says what is what"
    return Outcome(result, lambda: typer.echo(said))


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "phantom", phantom)
