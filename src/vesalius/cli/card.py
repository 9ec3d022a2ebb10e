"""`vesalius card`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.errors import UsageError
from vesalius.core.words import counted


def card(
    talk: Talk,
    models: list[Path] | None = typer.Argument(
        None, metavar="MODEL …", help="A run or a bundle, or several."
    ),
    out: Path | None = typer.Option(
        None, "--output", "-o", help="A new folder for the cards, the checklists and the decision table."
    ),
    about: Path | None = typer.Option(
        None, "--about", help="What only a person knows of the model, instead of what the bundle says."
    ),
    template: Path | None = typer.Option(
        None, "--template", help="Write an empty file for --about, and nothing else."
    ),
    scorecard: list[Path] | None = typer.Option(
        None,
        "--scorecard",
        help="A scorecard, or the folder of `evaluate -o`, of one of the models; can be repeated.",
    ),
    data: Path | None = typer.Option(
        None, "--data", help="Measure time, memory, work and energy on some of these cases."
    ),
    cases: int = typer.Option(5, "--cases", min=1, help="How many of them each model answers."),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
    watts: float = typer.Option(
        10.0, "--watts", min=0.1, help="Of one busy core, where the machine does not say its energy."
    ),
    accept_mismatch: bool = typer.Option(
        False, "--accept-mismatch", help="Measure on images of another modality or unit, too."
    ),
) -> Outcome:
    """Write a model's card, checklists and change-control plan, and what each model costs beside how good it is."""
    from vesalius.cli._show import plain_table
    from vesalius.verbs.card import card as verb
    from vesalius.verbs.card import template as write_template

    if template is not None:
        place = write_template(template)
        return Outcome({"template": str(place), "out": None}, lambda: typer.echo(f"template   {place}"))
    if not models:
        raise UsageError("card needs MODEL: a run or a bundle, or several", hint="or --template about.yaml")
    found = verb(
        models,
        out,
        about=about,
        scorecards=scorecard or (),
        data=data,
        cases=cases,
        columns=pairs(column, "--column"),
        layout=layout,
        device=device,
        watts=watts,
        accept_mismatch=accept_mismatch,
        progress=talk.progress,
    )
    decision = found.decision

    def show() -> None:
        plain_table(decision.table())
        for text in (decision.advice, *decision.reasons):
            typer.echo(text)
        for name, one in found.cards.items():
            lists = ", ".join(f"{c.title} {c.summary}" for c in one.checklists)
            still = counted(one.open, "entry of its card is", "entries of its card are")
            typer.echo(f"{name}: {still} open; {lists}")
        if found.out is not None:
            typer.echo(f"written    {found.out}")

    result = {
        "out": found.out,
        "template": None,
        "cards": {
            name: {
                "open": one.open,
                "checklists": {
                    c.name: {s: c.count(s) for s in ("filled", "open", "not applicable")}
                    for c in one.checklists
                },
            }
            for name, one in found.cards.items()
        },
        "decision": decision.plain(),
    }
    told = [(b.kind, f"{name}: {b.text}") for name, one in found.cards.items() for b in one.banners]
    return Outcome(result, show, warnings=told)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "card", card)
