"""`vesalius demo`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import shown_progress


def demo(
    out: Path | None = typer.Option(
        None, "--output", "-o", help="A new folder.", show_default="runs/demo-<n>"
    ),
    seed: int = typer.Option(0, "--seed", min=0, help="Of the phantom and of the training."),
) -> None:
    """All of it on a synthetic cohort, ending in a report to open. Some two minutes on two cores."""
    from vesalius.core.words import counted
    from vesalius.evaluate.report import headlines, tile
    from vesalius.verbs.demo import demo as verb

    done = verb(out, seed=seed, progress=shown_progress())
    typer.echo("")
    for name, card in done.scorecards.items():
        lead = tile(card, headlines(card)[0])
        typer.echo(
            f"{name:<13} {lead['name']} {lead['value']} ({lead['interval']}), {counted(card.n_cases, 'case')}"
        )
    typer.echo("")
    for line in done.findings:
        typer.echo(line)
    typer.echo(f"\nopen  {done.path / 'report.html'}")
    if not done.passed:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)
