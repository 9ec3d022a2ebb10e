"""`vesalius fit`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import columns_of, pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.cli._results import plan_data, scorecard_data, scorecard_warnings


def fit(
    context: typer.Context,
    talk: Talk,
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
    shots: int | None = typer.Option(
        None,
        "--shots",
        min=1,
        help="Learn from K training cases of each label only, on the frozen features that --init gives.",
    ),
    split: Path | None = typer.Option(None, "--split", help="A CSV with the columns case,split."),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a class or a mask's value stands for; can be repeated."
    ),
    init: str | None = typer.Option(
        None,
        "--init",
        help="Begin from weights: of a run, a bundle, a file of others, or by name; see `vesalius weights`. none: from "
        "nothing.",
    ),
    settings: list[str] | None = typer.Option(
        None, "--set", help="Override the plan: train.steps=500; can be repeated."
    ),
    plan: Path | None = typer.Option(None, "--plan", help="Follow this plan.json."),
    preset: str | None = typer.Option(
        None,
        "--preset",
        help="quick: a first look. good: what the rules choose. best: where time does not matter. "
        "finetune: with --init, the encoder frozen at first; lora: with --init, adapters beside it learn.",
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
    stage: list[str] | None = typer.Option(
        None,
        "--stage",
        help="NAME=BUNDLE: a bundle, or its run, as a stage before this one, which is given what it finds; can be "
        "repeated.",
    ),
    harmonise: str | None = typer.Option(
        None,
        "--harmonise",
        help="Make scanners comparable: by=scanner,threshold=0.05 tries ways on training cases; or a way: nyul.",
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Print the plan and stop."),
    resume: bool = typer.Option(False, "--resume", help="Go on with an interrupted run."),
    max_set_aside: float = typer.Option(
        0.10, "--max-set-aside", min=0, max=1, help="Share of faulty cases to bear."
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
    about: Path | None = typer.Option(
        None,
        "--about",
        help="What only a person knows of the model, for its card: `vesalius card --template`.",
    ),
) -> Outcome:
    """Train on DATA: a bundle, an honest scorecard and a report."""
    from vesalius.cli._show import plan_table, scorecard_table
    from vesalius.verbs.fit import fit as verb

    run = verb(
        data,
        out,
        task=task,
        target=target,
        time_limit=time_limit,
        seed=seed,
        folds=folds,
        shots=shots,
        split=split,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        init=init,
        settings={**pairs(settings, "--set"), **({} if harmonise is None else {"data.harmonise": harmonise})},
        plan=plan,
        preset=preset,
        by=columns_of(by),
        smallest_group=smallest_group,
        dry_run=dry_run,
        resume=resume,
        max_set_aside=max_set_aside,
        device=device,
        about=about,
        stages=pairs(stage, "--stage"),
        progress=talk.progress,
        started=context.obj() if context.obj else None,
    )
    if run.ran_out:
        talk.progress.note("the time limit ended the training before all planned steps were done")
    card, path = run.scorecard, run.path
    files = (
        {"bundle": "bundle", "scorecard": "scorecard.json", "report": "report.html"} if path and card else {}
    )
    lying = {name: str(path / file) for name, file in files.items() if path}

    def show() -> None:
        if card is None:
            plan_table(run.plan)
            return
        scorecard_table(card)
        for name, place in lying.items():
            typer.echo(f"{name:<9}  {place}")

    result = {
        "run": path,
        "files": lying,
        "dry_run": dry_run,
        "ran_out": run.ran_out,
        "plan": plan_data(run.plan),
        "scorecard": scorecard_data(card),
    }
    return Outcome(result, show, warnings=scorecard_warnings(card))


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "fit", fit)
