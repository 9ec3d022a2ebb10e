"""`vesalius suggest`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import typer

from vesalius.cli._app import numbers, pairs, parts
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.errors import UsageError
from vesalius.core.words import counted, listed

PANEL = "With --simulate"


def suggest(
    talk: Talk,
    bundle: Path = typer.Argument(
        help="A bundle, or the run that holds it. With --simulate: a cohort with labels, and no POOL."
    ),
    pool: Path | None = typer.Argument(
        None, help="A cohort without labels: a folder, a table, DICOM, NIfTI …", show_default=False
    ),
    count: int = typer.Option(
        50, "--count", "-n", min=1, help="How many cases to label next; with --simulate in each round."
    ),
    out: Path | None = typer.Option(
        None, "--output", "-o", help="A new folder: a table that is read as a cohort, JSON, a page."
    ),
    strategy: str = typer.Option(
        "auto",
        "--strategy",
        help="How to choose: auto, or one of `vesalius strategies`; with --simulate several, or auto for all.",
    ),
    labelled: Path | None = typer.Option(
        None,
        "--labelled",
        help="A cohort of what is labelled already.",
        show_default="the training cases of the bundle's run",
    ),
    seed: int = typer.Option(0, "--seed", help="Decides what is drawn."),
    same_patient: bool = typer.Option(
        False, "--same-patient", help="Take several cases of one patient, too."
    ),
    also_outside: bool = typer.Option(
        False, "--also-outside", help="Take cases that the bundle's guard calls unlike its own, too."
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
    accept_mismatch: bool = typer.Option(
        False,
        "--accept-mismatch",
        help="Take images of another modality or unit than the bundle learned from, too.",
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on with an interrupted suggest."),
    simulate: bool = typer.Option(
        False,
        "--simulate",
        help="Hide the labels of a cohort, uncover them as each strategy asks, and draw its curve against random.",
        rich_help_panel=PANEL,
    ),
    begin: int | None = typer.Option(
        None,
        "--begin",
        min=1,
        help="How many cases are labelled at first.",
        show_default="as many as --count",
        rich_help_panel=PANEL,
    ),
    rounds: int | None = typer.Option(
        None, "--rounds", min=1, help="How many rounds.", show_default="5", rich_help_panel=PANEL
    ),
    seeds: str | None = typer.Option(
        None,
        "--seeds",
        help="Each decides the first cases, what is drawn, and the training.",
        show_default="0,1,2",
        rich_help_panel=PANEL,
    ),
    settings: list[str] | None = typer.Option(
        None,
        "--set",
        help="Override the plan of every fit; train.steps=300 must be among them; can be repeated.",
        rich_help_panel=PANEL,
    ),
    metric: str | None = typer.Option(
        None,
        "--metric",
        help="The figure of the curves.",
        show_default="the first of a report",
        rich_help_panel=PANEL,
    ),
    task: str | None = typer.Option(
        None,
        "--task",
        help="What to do.",
        show_default="follows from the target",
        rich_help_panel=PANEL,
    ),
    target: str | None = typer.Option(
        None, "--target", help="What to learn, where there are several.", rich_help_panel=PANEL
    ),
    split: Path | None = typer.Option(
        None, "--split", help="A CSV with the columns case,split.", rich_help_panel=PANEL
    ),
    labels: list[str] | None = typer.Option(
        None,
        "--labels",
        help="WORD=LABEL: what a class or a mask's value stands for; can be repeated.",
        rich_help_panel=PANEL,
    ),
) -> Outcome:
    """Say which cases of an unlabelled pool to label next, so that a model gains most of each label."""
    of_rounds = {
        "--begin": begin, "--rounds": rounds, "--seeds": seeds, "--set": settings, "--metric": metric,
        "--task": task, "--target": target, "--split": split, "--labels": labels,
    }  # fmt: skip
    of_pools = {
        "POOL": pool, "--labelled": labelled, "--seed": seed, "--same-patient": same_patient,
        "--also-outside": also_outside, "--accept-mismatch": accept_mismatch, "--resume": resume,
    }  # fmt: skip
    _assert_apart(of_pools if simulate else of_rounds, simulate=simulate)
    if simulate:
        from vesalius.cli._rounds import rounds_outcome
        from vesalius.verbs.simulate_labelling import simulate_labelling

        found_rounds = simulate_labelling(
            bundle,
            out,
            count=count,
            begin=begin,
            rounds=5 if rounds is None else rounds,
            strategies=None if strategy == "auto" else parts(strategy),
            seeds=[int(x) for x in numbers(seeds or "0,1,2", "--seeds", whole=True)],
            settings=pairs(settings, "--set"),
            metric=metric,
            task=task,
            target=target,
            split=split,
            columns=pairs(column, "--column"),
            layout=layout,
            labels=pairs(labels, "--labels"),
            device=device,
            progress=talk.progress,
        )
        return rounds_outcome(found_rounds)
    if pool is None:
        raise UsageError(
            "there is no POOL to choose from", hint="vesalius suggest BUNDLE POOL, or --simulate"
        )
    from vesalius.verbs.suggest import suggest as verb

    found = verb(
        bundle,
        pool,
        out,
        count=count,
        strategy=strategy,
        labelled=labelled,
        seed=seed,
        same_patient=same_patient,
        also_outside=also_outside,
        columns=pairs(column, "--column"),
        layout=layout,
        device=device,
        accept_mismatch=accept_mismatch,
        resume=resume,
        progress=talk.progress,
    )

    def show() -> None:
        why = f": {found.why}" if found.why else ""
        typer.echo(f"{counted(len(found.cases), 'case')} of {found.pool} to label, by {found.strategy}{why}")
        for row in found.rows():
            told = [f"{by} {value:.4g}" for by, value in row["unsure"].items() if value is not None]
            told += [] if row["found"] is None else [f"found in {100 * row['found']:.3g} %"]
            told += [] if row["plane"] is None else [f"most at plane {row['plane']}"]
            typer.echo(f"{row['rank']:>4}  {row['case']}  {', '.join(told)}".rstrip())
        if found.short:
            typer.echo(found.short)
        if found.already:
            typer.echo(f"labelled already: {counted(len(found.already), 'case')}")
        if found.apart:
            few = [f"{one.case}: {one.reason}" for one in found.apart]
            typer.echo(f"apart, {counted(len(few), 'case')}: {listed(few, 3)}", err=True)
        if found.path is not None:
            typer.echo(f"written to {found.path}")

    result = {**found.json(), "out": found.path}
    return Outcome(result, show, code=1 if found.apart else 0)


def _assert_apart(strange: Mapping[str, object], *, simulate: bool) -> None:
    """Raise UsageError for an option that only the other way of asking takes; else it would be passed over."""
    given = [name for name, value in strange.items() if value not in (None, False, 0)]
    if not given:
        return
    if simulate:
        hint = "the same command goes on by itself" if given == ["--resume"] else "leave it out"
        raise UsageError("--simulate takes one cohort with labels", found=listed(given), hint=hint)
    raise UsageError(
        "this is an option of --simulate", found=listed(given), hint="--simulate, or leave it out"
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "suggest", suggest)
