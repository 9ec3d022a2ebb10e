"""`vesalius annotate`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.words import counted, listed


def annotate(
    talk: Talk,
    data: Path = typer.Argument(help="A cohort: a folder, a table, DICOM, NIfTI …"),
    out: Path = typer.Option(
        ..., "--output", "-o", help="A new folder for the project, or that of one to add cases to."
    ),
    ask: list[str] | None = typer.Option(
        None,
        "--ask",
        metavar="KIND=LABELS",
        help="class=benign,malignant (one of them), classes=a,b (any), boxes=… or mask=…; can be repeated.",
    ),
    readers: int | None = typer.Option(
        None, "--readers", min=1, help="How many annotators read each case.", show_default="1"
    ),
    blind: bool = typer.Option(
        False, "--blind", help="Nobody sees another's work on a case before all its readings are done."
    ),
    annotator: list[str] | None = typer.Option(
        None, "--annotator", metavar="NAME", help="Who may read; can be repeated.", show_default="anybody"
    ),
    adjudicator: list[str] | None = typer.Option(
        None,
        "--adjudicator",
        metavar="NAME",
        help="Who decides where readings differ; can be repeated.",
        show_default="anybody who did not read the case",
    ),
    only: Path | None = typer.Option(
        None, "--only", metavar="TABLE", help="A table with a column `case`: which cases, in which order."
    ),
    name: str | None = typer.Option(
        None, "--name", help="What the project is called.", show_default="as the data"
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
) -> Outcome:
    """Make a project in which several people annotate a cohort; `vesalius serve --annotate` serves it."""
    from vesalius.verbs.annotate import annotate as verb

    made = verb(
        data,
        out,
        ask={kind: labels.split(",") for kind, labels in (pairs(ask, "--ask") or {}).items()} or None,
        readers=readers,
        blind=True if blind else None,
        annotators=annotator or (),
        adjudicators=adjudicator or (),
        only=only,
        name=name,
        columns=pairs(column, "--column"),
        layout=layout,
        progress=talk.progress,
    )
    project = made.project

    def show() -> None:
        asked = listed(f"{a.kind} ({', '.join(x.name for x in a.labels)})" for a in project.asks)
        typer.echo(f"{made.path}: {counted(len(project.cases), 'case')}, {made.new_cases} of them new")
        typer.echo(
            f"asked: {asked}; {counted(project.readers, 'reader')} a case{', blind' if project.blind else ''}"
        )
        typer.echo(f"next: vesalius serve --annotate {made.path}")
        if made.set_aside:
            few = [f"{item.case}: {item.reason}" for item in made.set_aside]
            typer.echo(f"set aside {counted(len(few), 'case')}: {listed(few, 3)}", err=True)

    result = {
        "project": made.path,
        "name": project.name,
        "cases": len(project.cases),
        "new_cases": made.new_cases,
        "asks": [{"kind": a.kind, "labels": [x.name for x in a.labels]} for a in project.asks],
        "readers": project.readers,
        "blind": project.blind,
        "annotators": list(project.annotators),
        "adjudicators": list(project.adjudicators),
        "set_aside": [{"case": item.case, "reason": item.reason} for item in made.set_aside],
    }
    return Outcome(result, show, code=1 if made.set_aside else 0)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "annotate", annotate)
