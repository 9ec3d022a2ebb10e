"""`vesalius clean`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add


def clean(
    talk: Talk,
    data: Path = typer.Argument(
        help="A folder, a table, an npz, a tree of DICOM series; with --apply, --undo or --effect an earlier OUT."
    ),
    out: Path | None = typer.Option(
        None,
        "--output",
        "-o",
        help="A new folder for proposals.csv, changes.csv, cohort.csv and clean.html; it reads as a cohort.",
    ),
    target: str | None = typer.Option(None, "--target", help="The target, where there are several."),
    folds: int = typer.Option(5, "--folds", min=2, help="Train a model for each of N parts."),
    by: str = typer.Option(
        "noise_rate",
        "--by",
        help="How many labels are taken for wrong: noise_rate, class, both or confident.",
    ),
    no_fit: bool = typer.Option(
        False, "--no-fit", help="Train nothing: propose only what can be seen of the data."
    ),
    effect: bool = typer.Option(
        False, "--effect", help="Train with and without, and compare on the same test cases."
    ),
    apply: bool = typer.Option(
        False, "--apply", help="Write the tables anew from the proposals.csv that you edited."
    ),
    undo: bool = typer.Option(False, "--undo", help="Accept no proposal any more."),
    resume: bool = typer.Option(False, "--resume", help="Go on with an interrupted cleaning."),
    time_limit: str | None = typer.Option(
        None, "--time-limit", help="For the models of all parts: 90s, 10m, 1h30m."
    ),
    seed: int | None = typer.Option(
        None, "--seed", min=0, help="Decides parts, weights and batches.", show_default="0"
    ),
    settings: list[str] | None = typer.Option(
        None, "--set", help="Override the plan: train.steps=500; can be repeated."
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a class or a mask's value stands for; can be repeated."
    ),
    split: Path | None = typer.Option(None, "--split", help="A CSV with the columns case,split."),
    silence: list[str] | None = typer.Option(
        None, "--silence", help="A look of `vesalius looks` that nothing is proposed of; can be repeated."
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
) -> Outcome:
    """Propose what to drop, merge or relabel in DATA, and write the cleaned cohort. Nothing is deleted."""
    from vesalius.verbs.clean import clean as verb

    done = verb(
        data,
        out,
        target=target,
        folds=folds,
        by=by,
        fitted=not no_fit,
        effect=effect,
        apply=apply,
        undo=undo,
        resume=resume,
        time_limit=time_limit,
        seed=seed,
        settings=pairs(settings, "--set"),
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        split=split,
        silence=silence or (),
        device=device,
        progress=talk.progress,
    )
    names = {
        "proposals": "proposals.csv",
        "changes": "changes.csv",
        "table": "cohort.csv",
        "page": "clean.html",
    }
    files = {what: str(done.path / name) for what, name in names.items()}

    def show() -> None:
        typer.echo(done.verdict)
        for kind, listed in done.by_kind.items():
            taken = sum(p.accept for p in listed)
            typer.echo(f"  {kind}: {len(listed)} proposed, {taken} accepted")
        for note in done.notes:
            typer.echo(f"note       {note}")
        if done.effect:
            typer.echo(f"effect     {done.effect}")
        for what, place in files.items():
            typer.echo(f"{what:<9}  {place}")

    return Outcome({"out": done.path, "files": files, **done.json()}, show)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "clean", clean)
