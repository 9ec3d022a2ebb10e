"""`vesalius features`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.words import counted


def features(
    talk: Talk,
    what: str = typer.Argument(help="A bundle, or the run that holds it; or radiomics."),
    data: Path = typer.Argument(help="A cohort: a folder, a table, DICOM, NIfTI …"),
    out: Path = typer.Option(..., "--output", "-o", help="The table: .parquet or .csv."),
    mask: str | None = typer.Option(
        None,
        "--mask",
        help="What radiomics measure: a target that is drawn, or a bundle whose answers are masks.",
        show_default="the only such target",
    ),
    only: list[str] | None = typer.Option(
        None, "--only", help="A label of the mask to measure; can be repeated.", show_default="all"
    ),
    image: str | None = typer.Option(
        None, "--image", help="Which image of each case is measured.", show_default="its reference"
    ),
    settings: list[str] | None = typer.Option(
        None, "--set", help="A setting of radiomics: bin_width=10, spacing_mm=1,1,1; can be repeated."
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a mask's value stands for; can be repeated."
    ),
    workers: int | None = typer.Option(
        None, "--workers", min=1, help="Cases that are measured at once.", show_default="as many as cores"
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
    accept_mismatch: bool = typer.Option(
        False,
        "--accept-mismatch",
        help="Show a bundle images of another modality or unit than it learned from, too.",
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on with an interrupted table."),
) -> Outcome:
    """Write a table of features: what a net sees of each case, or the radiomics of its masks."""
    from vesalius.verbs.features import features as verb

    made = verb(
        what,
        data,
        out,
        mask=mask,
        only=only or (),
        image=image,
        settings=pairs(settings, "--set"),
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        workers=workers,
        device=device,
        accept_mismatch=accept_mismatch,
        resume=resume,
        progress=talk.progress,
    )

    def show() -> None:
        many = f"{counted(len(made.names), 'feature')} of {counted(made.cases, 'case')}"
        rows = "" if made.rows == made.cases else f", {counted(made.rows, 'row')}"
        typer.echo(
            f"{made.path}: {many}{rows}; how they were made is in {made.path.with_suffix('.json').name}"
        )
        if made.set_aside:
            typer.echo(f"set aside: {counted(len(made.set_aside), 'time')}, each with its reason, there")

    result = {
        "path": made.path,
        "made": made.made,
        "features": list(made.names),
        "rows": made.rows,
        "cases": made.cases,
        "data_hash": made.data_hash,
        "bundle": made.bundle or None,
        "learned": made.learned,
        "set_aside": [{"case": s.case, "reason": s.reason} for s in made.set_aside],
    }
    return Outcome(result, show)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "features", features)
