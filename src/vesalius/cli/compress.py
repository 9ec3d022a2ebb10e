"""`vesalius compress`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add


def compress(
    talk: Talk,
    bundle: Path = typer.Argument(metavar="RUN", help="A run's folder, or the bundle in it."),
    data: Path | None = typer.Argument(
        None, metavar="[COHORT]", help="The data that it learned from, by default where its run found them."
    ),
    out: Path = typer.Option(..., "--output", "-o", help="A new folder for the compressed bundle."),
    target: str = typer.Option(
        "2x", "--target", help="Times the throughput at the planned batch, measured here."
    ),
    max_drop: float = typer.Option(
        0.005,
        "--max-drop",
        min=0,
        max=1,
        help="The largest drop of AUC, Dice … that is borne, at its upper bound.",
    ),
    ways: str = typer.Option(
        "auto",
        "--ways",
        help="auto: in order of cost until the target is reached; or names between commas, see `vesalius compressors`; "
        "prune-filters+quantise-static is one after the other.",
    ),
    time_limit: str | None = typer.Option(
        None, "--time-limit", help="How long it may take: 90s, 30m.", show_default="no limit"
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read the data; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a class or a mask's value stands for; can be repeated."
    ),
    split: Path | None = typer.Option(None, "--split", help="A CSV with the columns case,split."),
    device: str | None = typer.Option(
        None,
        "--device",
        help="Where ways that train do so: cpu, cuda, …",
        show_default="a GPU where there is one",
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on in -o; no way is tried twice."),
) -> Outcome:
    """Write a smaller, faster bundle, held to its accuracy on cases that its members never saw."""
    from vesalius.compress.report import PAGE
    from vesalius.verbs.compress import compress as verb

    found = verb(
        bundle,
        data,
        out,
        target=target,
        max_drop=max_drop,
        ways=ways,
        time_limit=time_limit,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        split=split,
        device=device,
        resume=resume,
        progress=talk.progress,
    )

    def show() -> None:
        typer.echo(found.verdict)
        for one in found.found.tried:
            typer.echo(f"  {one.name}: {one.failed or one.verdict.why}")
        typer.echo(f"bundle {found.path / 'bundle'}")
        typer.echo(f"page   {found.path / PAGE}")

    result = {
        "out": out,
        "bundle": found.hashes["compressed"],
        "page": str(out / PAGE),
        "compression": found.json(),
    }
    return Outcome(result, show, warnings=[("note", text) for text in found.notes])


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "compress", compress)
