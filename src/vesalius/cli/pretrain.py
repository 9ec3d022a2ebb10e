"""`vesalius pretrain`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.cli._results import plan_data, scorecard_data, scorecard_warnings


def pretrain(
    context: typer.Context,
    talk: Talk,
    data: Path = typer.Argument(
        help="A folder, a table, an npz, a tree of DICOM series; no targets are needed."
    ),
    out: Path | None = typer.Option(
        None, "--output", "-o", help="The run's folder.", show_default="runs/<data>-<n>"
    ),
    recipe: str | None = typer.Option(
        None,
        "--recipe",
        help="How to learn without targets: simclr, vicreg, dino, mae, restore; see `vesalius recipes`.",
        show_default="the task's own",
    ),
    init: str | None = typer.Option(None, "--init", help="Begin from weights, as in `vesalius fit`."),
    time_limit: str | None = typer.Option(None, "--time-limit", help="For all of it: 90s, 10m, 1h30m."),
    seed: int | None = typer.Option(
        None, "--seed", min=0, help="Decides what is held out, weights, batches and views.", show_default="0"
    ),
    split: Path | None = typer.Option(None, "--split", help="A CSV with the columns case,split."),
    with_test: bool = typer.Option(
        False,
        "--with-test",
        help="Learn from the images of the test split, too; no model that begins from it can be tested on them.",
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    settings: list[str] | None = typer.Option(
        None, "--set", help="Override the plan: net.name=unet; can be repeated."
    ),
    plan: Path | None = typer.Option(None, "--plan", help="Follow this plan.json."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Print the plan and stop."),
    resume: bool = typer.Option(False, "--resume", help="Go on with an interrupted run."),
    max_set_aside: float = typer.Option(
        0.10, "--max-set-aside", min=0, max=1, help="Share of faulty cases to bear."
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
    devices: int | None = typer.Option(
        None, "--devices", min=1, help="Processes of this machine that share each batch.", show_default="1"
    ),
    about: Path | None = typer.Option(
        None,
        "--about",
        help="What only a person knows of the model, for its card: `vesalius card --template`.",
    ),
) -> Outcome:
    """Learn from the images of DATA without any target: a bundle for `fit --init`."""
    from vesalius.cli._show import plan_table
    from vesalius.evaluate.banners import COLLAPSED
    from vesalius.verbs.pretrain import pretrain as verb

    run = verb(
        data,
        out,
        recipe=recipe,
        init=init,
        time_limit=time_limit,
        seed=seed,
        split=split,
        columns=pairs(column, "--column"),
        layout=layout,
        settings=pairs(settings, "--set"),
        plan=plan,
        with_test=with_test,
        dry_run=dry_run,
        resume=resume,
        max_set_aside=max_set_aside,
        device=device,
        devices=devices,
        about=about,
        progress=talk.progress,
        started=context.obj() if context.obj else None,
    )
    if run.ran_out:
        talk.progress.note("the time limit ended the training before all planned steps were done")
    path, card = run.path, run.scorecard
    files = {"bundle": "bundle", "report": "report.html"} if path and card else {}
    lying = {name: str(path / file) for name, file in files.items() if path}
    collapsed = [b.text for b in card.banners if b.kind == COLLAPSED] if card else []

    def show() -> None:
        if card is None:
            plan_table(run.plan)
            return
        for text in collapsed:
            typer.echo(f"{COLLAPSED}  {text}")
        for name, place in lying.items():
            typer.echo(f"{name:<9}  {place}")
        if not collapsed:
            typer.echo(f"use        vesalius fit DATA --init {path}")

    result = {
        "run": path,
        "files": lying,
        "dry_run": dry_run,
        "ran_out": run.ran_out,
        "collapsed": bool(collapsed),
        "plan": plan_data(run.plan),
        "scorecard": scorecard_data(card),
    }
    return Outcome(result, show, code=1 if collapsed else 0, warnings=scorecard_warnings(card))


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "pretrain", pretrain)
