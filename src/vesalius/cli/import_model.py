"""`vesalius import`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.errors import UsageError
from vesalius.core.words import counted, listed


def import_model(
    talk: Talk,
    source: Path = typer.Argument(
        help="nnU-Net v2's folder of results, a MONAI bundle, an ONNX file, or a file of weights."
    ),
    out: Path = typer.Option(..., "--output", "-o", help="A new folder for the bundle."),
    origin: str | None = typer.Option(
        None,
        "--as",
        help="What it is; see `vesalius origins`.",
        show_default="what its names and first bytes tell",
    ),
    task: str | None = typer.Option(
        None, "--task", help="The task that it answers.", show_default="the usual one of such a net"
    ),
    labels: list[str] | None = typer.Option(
        None,
        "--labels",
        help="PLACE=NAME of each output, 0=benign; of a mask VALUE=NAME, 1=liver; can be repeated.",
    ),
    normalise: str | None = typer.Option(
        None,
        "--normalise",
        help="How its images were normalised, where its files do not say: imagenet, zscore, none, 0..255, MEAN/SD.",
    ),
    settings: list[str] | None = typer.Option(
        None, "--set", help="PATH=VALUE of the plan, such as data.size=[1,224,224]; can be repeated."
    ),
    device: str | None = typer.Option(
        None,
        "--device",
        help="Where its self-test is recorded: cpu, cuda, …",
        show_default="a GPU where there is one",
    ),
) -> Outcome:
    """Make a bundle of a model that another tool trained; nothing of its files is run."""
    from vesalius.verbs.import_model import import_model as verb

    made = verb(
        source,
        out,
        origin=origin,
        task=task,
        labels=_places(pairs(labels, "--labels")),
        normalise=normalise,
        settings=pairs(settings, "--set"),
        device=device,
        progress=talk.progress,
    )
    stage = made.stages[-1]
    record = stage.extras["origin"].values
    names = [str(x["name"]) for x in stage.state.values.get("labels", ())]

    def show() -> None:
        typer.echo(f"{out}: {stage.plan.task.name} with {stage.plan.net.name}, from {record['from']}")
        typer.echo(f"  {counted(len(stage.members), 'member')}; labels {listed(names, 8)}")
        typer.echo("  no scorecard yet, and its training cases are not known: vesalius evaluate BUNDLE DATA")

    result = {
        "out": out,
        "bundle": made.hash,
        "origin": record["from"],
        "task": stage.plan.task.name,
        "net": stage.plan.net.name,
        "members": len(stage.members),
        "runtime": stage.runtime,
        "labels": names,
        "facts": record["facts"],
    }
    return Outcome(result, show)


def _places(given: dict[str, str]) -> dict[int, str]:
    """Return labels by their place. Raises UsageError where one is no whole number."""
    for place in given:
        if not place.isdecimal():
            raise UsageError(
                "--labels takes the place of an output and its name", found=place, hint="--labels 0=benign"
            )
    return {int(place): name for place, name in given.items()}


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "import", import_model)
