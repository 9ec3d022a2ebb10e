"""`vesalius gather`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.words import counted, listed


def gather(
    talk: Talk,
    project: Path = typer.Argument(help="The folder of a project that `vesalius annotate` made."),
    out: Path = typer.Option(..., "--output", "-o", help="A new folder."),
    resamples: int = typer.Option(
        200, "--resamples", min=20, help="Draws of patients for the intervals of agreement."
    ),
) -> Outcome:
    """Write what annotators said as a cohort to learn from, every reading beside it, and how far they agree."""
    from vesalius.verbs.gather import gather as verb

    made = verb(project, out, resamples=resamples, progress=talk.progress)
    said = made.written

    def show() -> None:
        typer.echo(f"{made.path}: {counted(said.readings, 'reading')}, {counted(said.cases, 'settled case')}")
        if said.table is None:
            typer.echo("no case is settled: nobody's word stands alone, and no two say the same")
        if said.unsettled:
            typer.echo(f"open in some thing: {listed(said.unsettled, 5)}")
        for path in said.experts:
            typer.echo(f"to join what experts say: vesalius consensus {path} -o FOLDER")
        if said.drafts:
            typer.echo(f"left out: {counted(said.drafts, 'draft')} that nobody called done")
        for case, reason in said.left_out:
            typer.echo(f"left out: {case}: {reason}", err=True)

    result = {
        "path": made.path,
        "table": said.table,
        "experts": list(said.experts),
        "page": made.page,
        "readings": said.readings,
        "drafts": said.drafts,
        "cases": said.cases,
        "segs": said.segs,
        "unsettled": list(said.unsettled),
        "left_out": [{"case": case, "reason": reason} for case, reason in said.left_out],
        "agreement": made.agreement,
    }
    return Outcome(result, show, code=1 if said.left_out else 0)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "gather", gather)
