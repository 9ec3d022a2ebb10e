"""`vesalius prompt`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add


def prompt(
    talk: Talk,
    bundle: Path = typer.Argument(help="A bundle of a model of language that writes on, or its run."),
    data: Path = typer.Argument(help="Reports with one class a case: a folder, a table."),
    out: Path | None = typer.Option(None, "--output", "-o", help="A page with the figures: .html."),
    task: str = typer.Option(
        "", "--task", help="What is asked, in words: 'Is the chest normal or abnormal?'"
    ),
    shots: str = typer.Option(
        "0,1,5,20", "--shots", help="Numbers of examples a class that the prompt holds."
    ),
    words: list[str] | None = typer.Option(
        None, "--words", help="CLASS=WORD: the word that stands for a class; can be repeated."
    ),
    episodes: int = typer.Option(5, "--episodes", min=1, help="How often examples and reports are drawn."),
    queries: int = typer.Option(
        50, "--queries", min=1, help="Reports of each class that are asked about in a draw."
    ),
    split: str | None = typer.Option(
        None,
        "--split",
        help="The cases to draw from: train, val, test or all.",
        show_default="test where it is declared, else all",
    ),
    target: str | None = typer.Option(None, "--target", help="The class, where there are several targets."),
    text: str = typer.Option("report", "--text", help="Which text of a case is read."),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a class stands for; can be repeated."
    ),
    seed: int = typer.Option(0, "--seed", min=0, help="Decides the draws."),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
) -> Outcome:
    """Tell how well a model of language finds the class of reports from a prompt of a task and examples, untrained."""
    from vesalius.cli._show import prompted_table
    from vesalius.core.errors import UsageError
    from vesalius.verbs.find_lr import assert_writable
    from vesalius.verbs.prompt import prompt as verb

    if out is not None:
        assert_writable(out)
    if not all(part.strip().isdecimal() for part in shots.split(",")):
        raise UsageError("--shots takes whole numbers", found=shots, hint="--shots 0,1,5,20")
    found = verb(
        bundle,
        data,
        task=task,
        shots=[int(part) for part in shots.split(",")],
        words=pairs(words, "--words"),
        episodes=episodes,
        queries=queries,
        split=split,
        target=target,
        text=text,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        seed=seed,
        device=device,
        progress=talk.progress,
    )
    if out is not None:
        found.show(out)

    def show() -> None:
        prompted_table(found)
        if out is not None:
            typer.echo(f"page  {out}")

    told = {
        **asdict(found),
        "cut": _text_keys(found.cut),
        "left_out": _text_keys(found.left_out),
        "page": out,
    }
    return Outcome(told, show, warnings=[("note", text) for text in found.said])


def _text_keys(found: object) -> dict[str, object]:
    return {str(k): v for k, v in dict(found).items()}  # type: ignore[call-overload]


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "prompt", prompt)
