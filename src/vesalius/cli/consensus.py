"""`vesalius consensus`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.words import counted


def consensus(
    talk: Talk,
    data: Path = typer.Argument(help="A folder, a table, an npz, a tree of DICOM series."),
    out: Path = typer.Option(
        ..., "--output", "-o", help="A new folder; the same again goes on where it was."
    ),
    expert: list[str] | None = typer.Option(
        None,
        "--expert",
        help="NAME=COLUMN of a table, or a folder of masks called as the images are; one for each expert.",
        show_default="columns called `expert NAME`",
    ),
    method: str | None = typer.Option(
        None,
        "--method",
        help="Of classes dawid-skene, majority, crowdlab; of masks staple, staple-together, majority.",
        show_default="dawid-skene, staple",
    ),
    probabilities: Path | None = typer.Option(
        None, "--probabilities", help="A model's out-of-fold probabilities, a row a case, for crowdlab."
    ),
    independent: bool = typer.Option(False, "--independent", help="Do not ask whether experts err together."),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a class or a mask's value stands for; can be repeated."
    ),
    max_set_aside: float = typer.Option(0.10, "--max-set-aside", help="The share of faulty cases to bear."),
    resamples: int = typer.Option(200, "--resamples", min=20, help="Draws of patients for the intervals."),
) -> Outcome:
    """Join what several experts say into a new cohort, and say how good each expert is."""
    from vesalius.verbs.consensus import consensus as verb

    found = verb(
        data,
        out,
        experts=pairs(expert, "--expert"),
        method=method,
        probabilities=probabilities,
        independent=independent,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        max_set_aside=max_set_aside,
        resamples=resamples,
        progress=talk.progress,
    )

    def show() -> None:
        typer.echo(
            f"{counted(found.cases, 'case')} joined by {found.method}"
            + (f", {found.tied} tied" if found.tied else "")
        )
        for one in found.skills:
            for label, figures in one.labels.items():
                typer.echo(
                    f"{one.expert:<12} {label:<14} sensitivity {figures['sensitivity']}  "
                    f"specificity {figures['specificity']}"
                )
        for name, value in found.agreement.all.items():
            typer.echo(f"{name.replace('_', ' '):<12} {value}")
        typer.echo(f"table         {found.path}")
        typer.echo(f"page          {found.page}")

    files = {"table": str(found.path), "page": str(found.page), "skill": str(out / "skill.json")}
    return Outcome({"out": out, "files": files, **found.document}, show)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "consensus", consensus)
