"""`vesalius few-shot`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add


def few_shot(
    talk: Talk,
    what: str = typer.Argument(
        help="Weights as --init takes them: a run, a bundle, a file of weights, a name."
    ),
    data: Path = typer.Argument(help="A folder, a table, an npz, with one class a case."),
    out: Path | None = typer.Option(None, "--output", "-o", help="A page with the figures: .html."),
    shots: int = typer.Option(5, "--shots", min=1, help="Cases of each class that are learned from."),
    ways: int | None = typer.Option(
        None, "--ways", min=2, help="Classes in an episode.", show_default="all there are"
    ),
    episodes: int = typer.Option(100, "--episodes", min=1, help="How many episodes are drawn."),
    queries: int = typer.Option(
        15, "--queries", min=1, help="Cases of each class that are asked about in an episode, at most."
    ),
    heads: list[str] | None = typer.Option(
        None, "--head", help="prototypes or linear; can be repeated.", show_default="both"
    ),
    split: str | None = typer.Option(
        None,
        "--split",
        help="The cases to draw from: train, val, test or all.",
        show_default="test where it is declared, else all",
    ),
    target: str | None = typer.Option(None, "--target", help="The class, where there are several targets."),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a class stands for; can be repeated."
    ),
    seed: int = typer.Option(0, "--seed", min=0, help="Decides the episodes and the net from nothing."),
    settings: list[str] | None = typer.Option(
        None, "--set", help="Override the plan: data.size=[1,128,128]; can be repeated."
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
) -> Outcome:
    """Tell how well a few labelled cases a class suffice on the frozen features of WHAT, over many small draws."""
    from vesalius.cli._show import few_shot_table
    from vesalius.verbs.few_shot import HEADS
    from vesalius.verbs.few_shot import few_shot as verb
    from vesalius.verbs.find_lr import assert_writable

    if out is not None:
        assert_writable(out)
    found = verb(
        what,
        data,
        shots=shots,
        ways=ways,
        episodes=episodes,
        queries=queries,
        heads=tuple(heads or HEADS),
        split=split,
        target=target,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        seed=seed,
        settings=pairs(settings, "--set"),
        device=device,
        progress=talk.progress,
    )
    if out is not None:
        found.show(out)

    def show() -> None:
        few_shot_table(found)
        if out is not None:
            typer.echo(f"page  {out}")

    return Outcome({**asdict(found), "page": out}, show, warnings=[("note", text) for text in found.said])


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "few-shot", few_shot)
