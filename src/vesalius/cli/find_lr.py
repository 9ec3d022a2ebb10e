"""`vesalius find-lr`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add


def find_lr(
    talk: Talk,
    data: Path = typer.Argument(help="A folder, a table, an npz, a tree of DICOM series."),
    out: Path | None = typer.Option(
        None, "--output", "-o", help="A picture of the losses: .svg, .png or .pdf."
    ),
    task: str | None = typer.Option(
        None, "--task", help="What to do.", show_default="follows from the target"
    ),
    target: str | None = typer.Option(None, "--target", help="What to learn, where there are several."),
    time_limit: str | None = typer.Option(
        None, "--time-limit", help="The limit that fit will have: the net may be narrower for it."
    ),
    seed: int | None = typer.Option(None, "--seed", min=0, help="As for fit.", show_default="0"),
    split: Path | None = typer.Option(None, "--split", help="A CSV with the columns case,split."),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a class or a mask's value stands for; can be repeated."
    ),
    init: str | None = typer.Option(None, "--init", help="Begin from weights, as in `vesalius fit`."),
    settings: list[str] | None = typer.Option(
        None, "--set", help="Override the plan: net.name=resnet-18; can be repeated."
    ),
    plan: Path | None = typer.Option(None, "--plan", help="Follow this plan.json."),
    preset: str | None = typer.Option(None, "--preset", help="quick, good, best, finetune, lora …"),
    steps: int = typer.Option(100, "--steps", min=20, help="How many steps the rate grows over."),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
) -> Outcome:
    """Find the learning rate for DATA by a short training whose rate grows; nothing is kept of it."""
    from vesalius.verbs.find_lr import assert_writable
    from vesalius.verbs.find_lr import find_lr as verb

    if out is not None:
        assert_writable(out)
    found = verb(
        data,
        task=task,
        target=target,
        time_limit=time_limit,
        seed=seed,
        split=split,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        init=init,
        settings=pairs(settings, "--set"),
        plan=plan,
        preset=preset,
        steps=steps,
        device=device,
        progress=talk.progress,
    )
    if out is not None:
        found.write(out)

    def show() -> None:
        rate = "none" if found.suggestion is None else f"{found.suggestion:.2g}"
        typer.echo(f"planned    {found.plan.train.lr:.2g}: {found.plan.reasons.get('train.lr', 'as given')}")
        typer.echo(f"suggested  {rate}: {found.reason}")
        if found.suggestion is not None:
            typer.echo(f"use        --set train.lr={rate}")
        if out is not None:
            typer.echo(f"picture    {out}")

    result = {
        "planned": found.plan.train.lr,
        "suggestion": found.suggestion,
        "reason": found.reason,
        "rates": list(found.rates),
        "losses": list(found.losses),
        "averages": list(found.averages),
        "picture": out,
    }
    return Outcome(result, show)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "find-lr", find_lr)
