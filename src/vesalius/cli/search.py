"""`vesalius search`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add


def search(
    talk: Talk,
    data: Path = typer.Argument(help="A folder, a table, an npz, a tree of DICOM series."),
    out: Path | None = typer.Option(
        None,
        "--output",
        "-o",
        help="The search's folder; the same again goes on where it was.",
        show_default="runs/search-<data>",
    ),
    trials: int = typer.Option(
        50, "--trials", help="Plans that are tried at most, the default one among them."
    ),
    time_limit: str | None = typer.Option(
        None, "--time-limit", help="For all of it, the run of the best included: 2h, 90m."
    ),
    time_per_trial: str | None = typer.Option(
        None,
        "--time-per-trial",
        help="How long each plan is trained: 40s.",
        show_default="a share of the time limit; without one, enough steps",
    ),
    sampler: str = typer.Option(
        "tpe", "--sampler", help="tpe, gp, random, or hyperband, which ends trials early that fall behind."
    ),
    space: Path | None = typer.Option(
        None,
        "--space",
        help="A YAML or JSON file: by path of the plan a list of values, or low and high.",
        show_default="what the task's plan exposes",
    ),
    workers: int = typer.Option(1, "--workers", help="Processes that try plans at the same time."),
    cluster: str | None = typer.Option(
        None,
        "--cluster",
        help="A Ray cluster whose machines try plans, --workers at a time: ray://HOST:PORT, or ray://local.",
    ),
    finalists: int = typer.Option(
        3, "--finalists", help="How many of the best are trained again with other folds held out."
    ),
    ensemble: int = typer.Option(
        1,
        "--ensemble",
        help="How many of the best plans the run's members are trained by; they share one net.",
    ),
    task: str | None = typer.Option(
        None, "--task", help="What to do.", show_default="follows from the target"
    ),
    target: str | None = typer.Option(None, "--target", help="What to learn, where there are several."),
    seed: int | None = typer.Option(
        None, "--seed", min=0, help="Decides folds, weights and what is tried.", show_default="0"
    ),
    folds: int | None = typer.Option(
        None, "--folds", min=2, help="Parts that training patients are dealt into."
    ),
    init: str | None = typer.Option(
        None, "--init", help="What to begin from, as for fit; every trial keeps the net of these weights."
    ),
    settings: list[str] | None = typer.Option(
        None, "--set", help="Override the plan of every trial: net.name=resnet-18; can be repeated."
    ),
    preset: str | None = typer.Option(None, "--preset", help="One of `vesalius presets`, to try plans over."),
    split: Path | None = typer.Option(None, "--split", help="A CSV with the columns case,split."),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a class or a mask's value stands for; can be repeated."
    ),
    max_set_aside: float = typer.Option(
        0.10, "--max-set-aside", min=0, max=1, help="Share of faulty cases to bear."
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Stop at the space, which --space takes when edited."
    ),
    no_train: bool = typer.Option(
        False,
        "--no-train",
        help="Stop at the verdict: nothing is trained on all folds, no test case is scored.",
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on with the search in -o, which must be there."),
) -> Outcome:
    """Try plans of DATA on held-out folds, and train the best, or the default one where none beats it."""
    from vesalius.cli._show import search_table
    from vesalius.search.result import JSON, PAGE
    from vesalius.verbs.search import folder_of
    from vesalius.verbs.search import search as verb

    place = folder_of(data, out)
    found = verb(
        data,
        place,
        trials=trials,
        time_limit=time_limit,
        time_per_trial=time_per_trial,
        sampler=sampler,
        space=space,
        workers=workers,
        cluster=cluster,
        finalists=finalists,
        ensemble=ensemble,
        task=task,
        target=target,
        seed=seed,
        folds=folds,
        init=init,
        settings=pairs(settings, "--set"),
        preset=preset,
        split=split,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        max_set_aside=max_set_aside,
        device=device,
        dry_run=dry_run,
        no_train=no_train,
        resume=resume,
        progress=talk.progress,
    )
    written = {"search": str(place / JSON), "page": str(place / PAGE)}
    files = {} if dry_run or found.verdict is None else written

    def show() -> None:
        if dry_run:
            typer.echo(found.space_text, nl=False)
            return
        search_table(found)
        for name, file in files.items():
            typer.echo(f"{name:<6}  {file}")

    result = {"out": None if dry_run else place, "files": files, "search": found.to_json()}
    return Outcome(result, show, warnings=[("note", text) for text in found.notes])


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "search", search)
