"""`vesalius change`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import number_or_word, pairs
from vesalius.cli._outcome import Outcome, Talk, add


def change(
    talk: Talk,
    bundle: Path = typer.Argument(help="A bundle, or the run that holds it."),
    earlier: Path = typer.Argument(
        metavar="EARLIER",
        help="The earlier visit; without LATER a cohort whose patients have several visits.",
    ),
    later: Path | None = typer.Argument(None, metavar="LATER", help="The later visit."),
    out: Path = typer.Option(
        ..., "--output", "-o", "--out", help="A new folder for change.json, change.csv and change.html."
    ),
    days: float | None = typer.Option(
        None, "--days", help="Days between both visits.", show_default="by their StudyDate"
    ),
    registration: str | None = typer.Option(
        None,
        "--registration",
        help="How to register; see `vesalius registrations`, or none.",
        show_default="the surest that is installed",
    ),
    since: str = typer.Option(
        "previous", "--since", help="Of a cohort: hold the last visit against the previous one, or the first."
    ),
    accept: bool = typer.Option(
        False, "--accept", help="Go on where patient, modality or the order of dates say that it is wrong."
    ),
    accept_mismatch: bool = typer.Option(
        False,
        "--accept-mismatch",
        help="Answer images of another modality or unit than the bundle learned from.",
    ),
    doubt: str | None = typer.Option(
        None, "--doubt", help="How far several opinions about each visit are apart; see `vesalius opinions`."
    ),
    samples: int | None = typer.Option(
        None, "--samples", min=2, help="Opinions that dropout gives.", show_default="20"
    ),
    covariate: list[str] | None = typer.Option(
        None, "--covariate", help="NAME=VALUE that is known of the patient; can be repeated."
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    dicom: bool = typer.Option(
        False, "--dicom", help="DICOM objects of both answers, and a report of the change, too."
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
) -> Outcome:
    """Compare two visits of a patient: what grew, by how much, and whether that can be told."""
    from vesalius.run.change.result import Changes, interval, number, signed
    from vesalius.verbs.change import change as verb

    found = verb(
        bundle,
        earlier,
        later,
        out,
        days=days,
        registration=registration,
        since=since,
        accept=accept,
        accept_mismatch=accept_mismatch,
        doubt=doubt,
        samples=samples,
        covariates={k: number_or_word(v) for k, v in pairs(covariate, "--covariate").items()},
        columns=pairs(column, "--column"),
        layout=layout,
        dicom=dicom,
        device=device,
        progress=talk.progress,
    )
    files = {name: str(out / f"change.{name}") for name in ("html", "json", "csv")}
    several = isinstance(found, Changes)
    each = found.changes if isinstance(found, Changes) else (found,)

    def show() -> None:
        for one in each:
            typer.echo(f"{one.patient}: {one.verdict}" if several else one.verdict)
            for growth in () if several else one.growths:
                if growth.verdict != "absent":
                    unit = f" {growth.unit}" if growth.unit else ""
                    sizes = f"{number(growth.earlier)} to {number(growth.later)}{unit}"
                    typer.echo(
                        f"  {growth.name}: {sizes}, {signed(growth.change)} ({interval(growth)}); {growth.verdict}"
                    )
        typer.echo(f"page  {files['html']}")

    aside = (
        [{"case": a.case, "reason": a.reason} for a in found.set_aside] if isinstance(found, Changes) else []
    )
    result = {
        "out": out,
        "files": files,
        "changes": [{"patient": one.patient or None, **one.json()} for one in each],
        "set_aside": aside,
    }
    told = [("note", text) for text in (() if several else each[0].notes)]
    return Outcome(result, show, code=1 if aside else 0, warnings=told)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "change", change)
