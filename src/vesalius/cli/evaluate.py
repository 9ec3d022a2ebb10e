"""`vesalius evaluate`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import columns_of, pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.cli._results import scorecard_data, scorecard_warnings


def evaluate(
    talk: Talk,
    what: Path = typer.Argument(
        metavar="BUNDLE|PREDICTIONS", help="A run or its bundle, or any tool's masks or CSV."
    ),
    data: Path = typer.Argument(help="A cohort with the truth."),
    out: Path | None = typer.Option(
        None, "--output", "-o", help="A new folder for scorecard.json and report.html."
    ),
    split: str | None = typer.Option(
        None,
        "--split",
        help="train, val, test or all, or a CSV with case,split. Without train, no training cases.",
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
    by: list[str] | None = typer.Option(
        None,
        "--by",
        help="A column by whose groups figures are given, too; sex,age for both at once, none for no groups; can be "
        "repeated.",
        show_default="sex, age, site … where there are any",
    ),
    smallest_group: int = typer.Option(
        10, "--smallest-group", min=1, help="Patients that a group must have for its figures to be given."
    ),
    accept_mismatch: bool = typer.Option(
        False,
        "--accept-mismatch",
        help="Score images of another modality or unit than the bundle learned from, too.",
    ),
) -> Outcome:
    """Score a bundle on another cohort, or another tool's predictions, with intervals."""
    from vesalius.cli._show import scorecard_table
    from vesalius.verbs.evaluate import evaluate as verb

    is_file = split is not None and split not in ("train", "val", "test", "all")
    card = verb(
        what,
        data,
        out,
        split=None if is_file else split,
        split_file=split if is_file else None,
        target=target,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        device=device,
        accept_mismatch=accept_mismatch,
        by=columns_of(by),
        smallest_group=smallest_group,
        progress=talk.progress,
    )
    names = {"scorecard": "scorecard.json", "report": "report.html"}
    files = {} if out is None else {name: str(out / file) for name, file in names.items()}

    def show() -> None:
        scorecard_table(card)
        for name, place in files.items():
            typer.echo(f"{name:<9}  {place}")

    result = {"out": out, "files": files, "scorecard": scorecard_data(card)}
    return Outcome(result, show, warnings=scorecard_warnings(card))


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "evaluate", evaluate)
