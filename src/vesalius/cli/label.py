"""`vesalius label`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.words import counted

SHOWN = 12  # findings in the terminal


def label(
    talk: Talk,
    data: Path = typer.Argument(
        help="Reports: a table, a folder of texts or of XML, images with texts beside them."
    ),
    out: Path = typer.Option(..., "--output", "-o", help="A new folder."),
    terms: str = typer.Option(
        "chest", "--terms", help="The findings to look for: chest, ct, breast or a YAML file."
    ),
    by: str = typer.Option("rules", "--by", help="Who reads: rules, or a bundle that classifies reports."),
    uncertain: str = typer.Option(
        "unknown", "--uncertain", help="What a suspected finding counts as: unknown, present or absent."
    ),
    unmentioned: str = typer.Option(
        "absent",
        "--unmentioned",
        help="What a finding counts as that a report does not speak of: absent or unknown.",
    ),
    actionable: list[str] | None = typer.Option(
        None, "--actionable", help="A bundle's label of which somebody has to be told; can be repeated."
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    max_set_aside: float = typer.Option(0.10, "--max-set-aside", help="The share of faulty cases to bear."),
) -> Outcome:
    """Read reports into labels of their images, and flag those of which somebody has to be told."""
    from vesalius.verbs.label import label as verb

    found = verb(
        data,
        out,
        terms=terms,
        by=by,
        uncertain=uncertain,  # type: ignore[arg-type]
        unmentioned=unmentioned,  # type: ignore[arg-type]
        actionable=tuple(actionable or ()),
        columns=pairs(column, "--column"),
        layout=layout,
        max_set_aside=max_set_aside,
        progress=talk.progress,
    )

    def show() -> None:
        typer.echo(f"{counted(found.reports, 'report')} of {counted(found.cases, 'case')} read")
        often = sorted(found.document["findings"], key=lambda f: -f["present"])
        for one in often[:SHOWN]:
            typer.echo(
                f"{one['name']:<20} present {one['present']:>5}  absent {one['absent']:>5}  "
                f"uncertain {one['uncertain']:>4}  not spoken of {one['unmentioned']:>5}"
            )
        if len(often) > SHOWN:
            typer.echo(f"… and {counted(len(often) - SHOWN, 'more finding')}")
        typer.echo(f"actionable    {counted(len(found.actionable), 'case')}")
        typer.echo(f"table         {found.path}")
        typer.echo(f"sentences     {found.said}")

    files = {"table": str(found.path), "said": str(found.said), "record": str(out / "labels.json")}
    return Outcome({"out": out, "files": files, **found.document}, show)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "label", label)
