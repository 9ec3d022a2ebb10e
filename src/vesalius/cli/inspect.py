"""`vesalius inspect`."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add


def inspect(
    talk: Talk,
    data: Path = typer.Argument(help="A folder, a table, an npz, a tree of DICOM series."),
    others: list[Path] | None = typer.Argument(
        None, help="Further cohorts: patients and pictures that they share with DATA are found."
    ),
    html: Path | None = typer.Option(None, "--html", help="Write a page with a contact sheet."),
    target: str | None = typer.Option(
        None, "--target", help="The target to look at, where there are several."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    split: Path | None = typer.Option(None, "--split", help="A CSV with the columns case,split."),
    silence: list[str] | None = typer.Option(
        None, "--silence", help="A look whose findings are not told; see `vesalius looks`; can be repeated."
    ),
    read_text: bool = typer.Option(
        False, "--read-text", help="Read pictures for burned-in text, 60 at most; needs tesseract."
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a class or a mask's value stands for; can be repeated."
    ),
) -> Outcome:
    """Say what is in DATA, and what is wrong with it. Exit code 1 if errors are among it."""
    from vesalius.reliability.inspect import to_json
    from vesalius.verbs.inspect import inspect as verb

    found = verb(
        data,
        *(others or ()),
        layout=layout,
        target=target,
        columns=pairs(column, "--column"),
        labels=pairs(labels, "--labels"),
        split=split,
        html=html,
        silence=silence or (),
        read_text=read_text,
        progress=talk.progress,
    )

    def show() -> None:
        from vesalius.cli import _inspection

        _inspection.show(found)
        if html is not None:
            typer.echo(f"page       {html}")

    bad = any(f.severity == "error" for f in found.findings)
    return Outcome({"page": html, **json.loads(to_json(found))}, show, code=1 if bad else 0)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "inspect", inspect)
