"""`vesalius fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.errors import DataError
from vesalius.core.words import counted

if TYPE_CHECKING:
    from vesalius.dicom.web import Series


def fetch(
    talk: Talk,
    url: str = typer.Argument(help="A PACS by its DICOMweb root, such as https://host/dicom-web."),
    out: Path | None = typer.Option(None, "--output", "-o", help="A new folder for the studies."),
    study: str = typer.Option("", "--study", help="A StudyInstanceUID."),
    patient: str = typer.Option("", "--patient", help="A PatientID."),
    accession: str = typer.Option("", "--accession", help="An accession number."),
    date: str = typer.Option("", "--date", help="20260131, or a range: 20260101-20260131."),
    modality: list[str] | None = typer.Option(None, "--modality", help="CT, MR, SEG, …; can be repeated."),
    listing: bool = typer.Option(False, "--list", help="Only list the series that match."),
    login: Path | None = typer.Option(None, "--login", help="A file that holds user:password."),
    ca: Path | None = typer.Option(
        None, "--ca", help="A file of certificates that the server's is signed by."
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on in OUT with what is not there yet."),
) -> Outcome:
    """Copy studies of a PACS into a folder, which every other command reads. Exit code 1 if some could not be had."""
    from vesalius.verbs import fetch as verb

    asked = {"study": study, "patient": patient, "accession": accession, "date": date}
    if listing:
        found = verb.find(url, **asked, modalities=modality or (), login=login, ca=ca)[1]
        return Outcome(
            {"out": None, "series": [_described(s) for s in found], "instances": None, "set_aside": []},
            lambda: typer.echo("\n".join(_line(s) for s in found)),
        )
    if out is None:
        raise DataError("fetch wants to know where to", hint="-o OUT, or --list to look first")
    done = verb.fetch(
        url,
        out,
        **asked,
        modalities=modality or (),
        login=login,
        ca=ca,
        resume=resume,
        progress=talk.progress,
    )

    def show() -> None:
        typer.echo(f"{counted(done.instances, 'object')} of {len(done.series)} series in {done.out}")
        if done.set_aside:
            typer.echo(f"{len(done.set_aside)} series could not be had:", err=True)
        for item in done.set_aside:
            typer.echo(f"  {item.case}: {item.reason}", err=True)

    result = {
        "out": done.out,
        "series": [_described(s) for s in done.series],
        "instances": done.instances,
        "set_aside": [{"series": item.case, "reason": item.reason} for item in done.set_aside],
    }
    return Outcome(result, show, code=1 if done.set_aside else 0)


def _described(series: Series) -> dict[str, Any]:
    return {
        "study": series.study_uid,
        "series": series.series_uid,
        "modality": series.modality,
        "description": series.description,
        "instances": series.instances,
    }


def _line(series: Series) -> str:
    count = "?" if series.instances is None else series.instances
    return (
        f"{series.study_uid}  {series.series_uid}  {series.modality}  {count}  {series.description}".rstrip()
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "fetch", fetch)
