"""`vesalius compare`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add


def compare(
    talk: Talk,
    first: Path = typer.Argument(metavar="A", help="A run, a bundle, an evaluation, or predictions."),
    second: Path = typer.Argument(metavar="B", help="The other one."),
    data: Path | None = typer.Option(
        None, "--data", help="Score both on these cases; without it, the scorecards that are there."
    ),
    out: Path | None = typer.Option(
        None, "--output", "-o", help="A new folder for compare.html and comparison.json."
    ),
    split: str | None = typer.Option(None, "--split", help="train, val, test or all, of --data."),
    target: str | None = typer.Option(None, "--target", help="The truth, where there are several."),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a class or a mask's value stands for; can be repeated."
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
    accept_mismatch: bool = typer.Option(
        False, "--accept-mismatch", help="Score images of another modality or unit, too."
    ),
) -> Outcome:
    """Compare two models on the same cases: each difference with its interval and a test."""
    from vesalius.cli._show import comparison_table
    from vesalius.verbs.compare import compare as verb

    found = verb(
        first,
        second,
        data,
        out,
        split=split,
        target=target,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        device=device,
        accept_mismatch=accept_mismatch,
        progress=talk.progress,
    )
    names = {"comparison": "comparison.json", "page": "compare.html"}
    files = {} if out is None else {name: str(out / file) for name, file in names.items()}

    def show() -> None:
        comparison_table(found)
        for name, place in files.items():
            typer.echo(f"{name:<10}  {place}")

    result = {"out": out, "files": files, "verdict": found.verdict, "comparison": asdict(found)}
    return Outcome(result, show, warnings=[("note", text) for text in found.notes])


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "compare", compare)
