"""`vesalius fit`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs, shown_progress


def fit(
    context: typer.Context,
    data: Path = typer.Argument(help="A folder, a table, an npz, a tree of DICOM series."),
    out: Path | None = typer.Option(
        None, "--output", "-o", help="The run's folder.", show_default="runs/<data>-<n>"
    ),
    task: str | None = typer.Option(
        None, "--task", help="What to do.", show_default="follows from the target"
    ),
    target: str | None = typer.Option(None, "--target", help="What to learn, where there are several."),
    time_limit: str | None = typer.Option(None, "--time-limit", help="For all of it: 90s, 10m, 1h30m."),
    seed: int | None = typer.Option(
        None, "--seed", min=0, help="Decides folds, weights and batches.", show_default="0, or the plan's"
    ),
    folds: int | None = typer.Option(None, "--folds", min=2, help="Train a member for each of N folds."),
    split: Path | None = typer.Option(None, "--split", help="A CSV with the columns case,split."),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a class or a mask's value stands for; can be repeated."
    ),
    init: Path | None = typer.Option(
        None, "--init", help="Begin from the weights of a run, a bundle or a safetensors file."
    ),
    settings: list[str] | None = typer.Option(
        None, "--set", help="Override the plan: train.steps=500; can be repeated."
    ),
    plan: Path | None = typer.Option(None, "--plan", help="Follow this plan.json."),
    preset: str | None = typer.Option(
        None,
        "--preset",
        help="quick: a first look. good: what the rules choose. best: where time does not matter. "
        "finetune: with --init, the encoder frozen at first.",
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Print the plan and stop."),
    resume: bool = typer.Option(False, "--resume", help="Go on with an interrupted run."),
    max_set_aside: float = typer.Option(
        0.10, "--max-set-aside", min=0, max=1, help="Share of faulty cases to bear."
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
) -> None:
    """Train on DATA: a bundle, an honest scorecard and a report."""
    from vesalius.cli._show import plan_table, scorecard_table
    from vesalius.verbs.fit import fit as verb

    progress = shown_progress()
    run = verb(
        data,
        out,
        task=task,
        target=target,
        time_limit=time_limit,
        seed=seed,
        folds=folds,
        split=split,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        init=init,
        settings=pairs(settings, "--set"),
        plan=plan,
        preset=preset,
        dry_run=dry_run,
        resume=resume,
        max_set_aside=max_set_aside,
        device=device,
        progress=progress,
        started=context.obj() if context.obj else None,
    )
    if dry_run:
        plan_table(run.plan)
        return
    if run.ran_out:
        progress.note("the time limit ended the training before all planned steps were done")
    if run.scorecard is not None and run.path is not None:
        scorecard_table(run.scorecard)
        typer.echo(f"bundle     {run.path / 'bundle'}")
        typer.echo(f"scorecard  {run.path / 'scorecard.json'}")
        typer.echo(f"report     {run.path / 'report.html'}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fit")(fit)
