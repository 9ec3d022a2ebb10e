"""`vesalius suggest`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.words import counted, listed


def suggest(
    talk: Talk,
    bundle: Path = typer.Argument(help="A bundle, or the run that holds it."),
    pool: Path = typer.Argument(help="A cohort without labels: a folder, a table, DICOM, NIfTI …"),
    count: int = typer.Option(50, "--count", "-n", min=1, help="How many cases to label next."),
    out: Path | None = typer.Option(
        None, "--output", "-o", help="A new folder: a table that is read as a cohort, JSON, a page."
    ),
    strategy: str = typer.Option(
        "auto", "--strategy", help="How to choose: auto, or one of `vesalius strategies`."
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
) -> Outcome:
    """Say which cases of an unlabelled pool to label next, so that a model gains most of each label."""
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

    result = {
        "strategy": found.strategy,
        "why": found.why,
        "seed": found.seed,
        "bundle": found.bundle,
        "data_hash": found.data_hash,
        "pool": found.pool,
        "labelled": found.labelled,
        "suggested": found.rows(),
        "already": list(found.already),
        "apart": [{"case": one.case, "reason": one.reason} for one in found.apart],
        "short": found.short,
        "out": found.path,
    }
    return Outcome(result, show, code=1 if found.apart else 0)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "suggest", suggest)
