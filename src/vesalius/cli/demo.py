"""`vesalius demo`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.cli._results import scorecard_data, scorecard_warnings


def demo(
    talk: Talk,
    out: Path | None = typer.Option(
        None, "--output", "-o", help="A new folder.", show_default="runs/demo-<n>"
    ),
    seed: int = typer.Option(0, "--seed", min=0, help="Of the phantom and of the training."),
) -> Outcome:
    """All of it on a synthetic cohort, ending in a report to open. Some two minutes on two cores."""
    from vesalius.core.words import counted
    from vesalius.evaluate.report import headlines, tile
    from vesalius.verbs.demo import demo as verb

    done = verb(out, seed=seed, progress=talk.progress)

    def show() -> None:
        typer.echo("")
        for name, card in done.scorecards.items():
            lead = tile(card, headlines(card)[0])
            many = counted(card.n_cases, "case")
            typer.echo(f"{name:<13} {lead['name']} {lead['value']} ({lead['interval']}), {many}")
        typer.echo("")
        for line in done.findings:
            typer.echo(line)
        typer.echo(f"\nopen  {done.path / 'report.html'}")

    result = {
        "out": done.path,
        "report": done.path / "report.html",
        "passed": done.passed,
        "findings": list(done.findings),
        "scorecards": {name: scorecard_data(card) for name, card in done.scorecards.items()},
    }
    told = [warning for card in done.scorecards.values() for warning in scorecard_warnings(card)]
    return Outcome(result, show, code=0 if done.passed else 1, warnings=told)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "demo", demo)
