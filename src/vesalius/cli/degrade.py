"""`vesalius degrade`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add


def degrade(
    talk: Talk,
    bundle: Path = typer.Argument(help="A bundle, or the run that holds it."),
    data: Path = typer.Argument(help="A folder, a table, an npz, a tree of DICOM series, with the truth."),
    out: Path = typer.Option(
        ..., "--output", "-o", help="A folder for the page; the same again goes on where it was."
    ),
    by: list[str] | None = typer.Option(
        None,
        "--by",
        help="NAME or NAME=2,5,10: a degradation and its amounts; can be repeated.",
        show_default="all of `vesalius degradations`",
    ),
    restore: Path | None = typer.Option(
        None, "--restore", help="A bundle of `restore` to put in front; measured with and without it."
    ),
    metric: str | None = typer.Option(
        None, "--metric", help="The figure.", show_default="the first three of a report"
    ),
    loss: str = typer.Option("10%", "--loss", help="Say where each curve crosses it: 10%, or 0.05."),
    split: str | None = typer.Option(
        None, "--split", help="val, test, all or a CSV with case,split.", show_default="test, or all"
    ),
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
    seed: int = typer.Option(0, "--seed", help="Of the noise that is added."),
) -> Outcome:
    """How BUNDLE's figures fall where the images of DATA are worse: noise, blur, a lower dose, missing slices …"""
    from vesalius.evaluate.degraded import JSON, PAGE
    from vesalius.verbs.degrade import asked_levels
    from vesalius.verbs.degrade import degrade as verb

    table = Path(split) if split is not None and split.endswith(".csv") else None
    found = verb(
        bundle,
        data,
        out,
        by=asked_levels(by) if by else None,
        restore=restore,
        metric=metric,
        loss=loss,
        split=None if table is not None else split,
        split_file=table,
        target=target,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        device=device,
        accept_mismatch=accept_mismatch,
        seed=seed,
        progress=talk.progress,
    )
    files = {"table": str(out / JSON), "page": str(out / PAGE)}

    def show() -> None:
        for text in found.verdicts:
            typer.echo(text)
        for name, file in files.items():
            typer.echo(f"{name:<6}  {file}")

    failed = any(s.figure is None for c in found.curves for s in c.steps)
    result = {"out": out, "files": files, "degrade": found.to_json()}
    return Outcome(result, show, warnings=[("note", text) for text in found.notes], code=1 if failed else 0)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "degrade", degrade)
