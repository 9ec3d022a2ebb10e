"""`vesalius advise`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import number_or_word, pairs
from vesalius.cli._outcome import Outcome, Talk, add


def advise(
    talk: Talk,
    bundle: Path = typer.Argument(help="A bundle of survival under several arms, or the run that holds it."),
    source: Path = typer.Argument(metavar="CASE", help="One patient, or a table of which --case names one."),
    out: Path = typer.Option(
        ..., "--output", "-o", "--out", help="A new folder for advice.html and advice.json."
    ),
    case: str | None = typer.Option(None, "--case", help="The id of the case, where there are several."),
    covariate: list[str] | None = typer.Option(
        None, "--covariate", help="NAME=VALUE that is known of the patient; can be repeated."
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    accept_mismatch: bool = typer.Option(
        False,
        "--accept-mismatch",
        help="Answer an image of another modality or unit than the bundle learned from.",
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
) -> Outcome:
    """Say what is expected of one patient under each treatment, and what argues against believing it."""
    from vesalius.verbs.advise import advise as verb

    found = verb(
        bundle,
        source,
        out,
        case=case,
        covariates={k: number_or_word(v) for k, v in pairs(covariate, "--covariate").items()},
        columns=pairs(column, "--column"),
        layout=layout,
        device=device,
        accept_mismatch=accept_mismatch,
    )
    files = {"html": str(out / "advice.html"), "json": str(out / "advice.json")}

    def show() -> None:
        typer.echo(found.json()["for_research"])
        typer.echo(found.verdict)
        for text in found.against:
            typer.echo(f"  against: {text}")
        typer.echo(f"page  {files['html']}")

    return Outcome({"out": out, "files": files, "advice": found.json()}, show)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "advise", advise)
