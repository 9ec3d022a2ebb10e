"""`vesalius scale`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import numbers, pairs
from vesalius.cli._outcome import Outcome, Talk, add


def scale(
    talk: Talk,
    data: Path = typer.Argument(help="A folder, a table, an npz, a tree of DICOM series."),
    out: Path | None = typer.Option(
        None,
        "--output",
        "-o",
        help="The folder of the fits; the same again goes on where it was.",
        show_default="runs/scale-<data>",
    ),
    sizes: str = typer.Option(
        "0.125,0.25,0.5,1", "--sizes", help="Values of net.scale, four for a law of parameters."
    ),
    shares: str = typer.Option(
        "0.125,0.25,0.5,1", "--shares", help="Shares of the training patients, 1 among them, four for a law."
    ),
    lengths: str = typer.Option(
        "0.25,0.5,1",
        "--lengths",
        help="Shares of the steps on all patients, for the law of compute; 1 for none.",
    ),
    seeds: str = typer.Option("0,1", "--seeds", help="Fits at every place, each with patients of its own."),
    time_limit: str | None = typer.Option(
        None, "--time-limit", help="For all of it: the steps follow from it, where --set does not fix them."
    ),
    settings: list[str] | None = typer.Option(
        None, "--set", help="Override the plan of every fit: train.steps=300; can be repeated."
    ),
    task: str | None = typer.Option(
        None, "--task", help="What to do.", show_default="follows from the target"
    ),
    target: str | None = typer.Option(None, "--target", help="What to learn, where there are several."),
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
    resume: bool = typer.Option(False, "--resume", help="Go on with the scaling of -o, which must be there."),
) -> Outcome:
    """What a larger net, more labels or more compute would bring on DATA, by laws of powers with intervals."""
    from vesalius.run.scaling.result import JSON, PAGE
    from vesalius.verbs.scale import folder_of
    from vesalius.verbs.scale import scale as verb

    place = folder_of(data, out)
    found = verb(
        data,
        place,
        sizes=[float(x) for x in numbers(sizes, "--sizes")],
        shares=[float(x) for x in numbers(shares, "--shares")],
        lengths=[float(x) for x in numbers(lengths, "--lengths")],
        seeds=[int(x) for x in numbers(seeds, "--seeds", whole=True)],
        time_limit=time_limit,
        settings=pairs(settings, "--set"),
        task=task,
        target=target,
        split=split,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        max_set_aside=max_set_aside,
        device=device,
        resume=resume,
        progress=talk.progress,
    )
    files = {"table": str(place / JSON), "page": str(place / PAGE)}
    warnings = [("note", text) for text in found.notes]
    warnings += [("failed", f"{name}: {why}") for name, why in found.failed.items()]

    def show() -> None:
        for kind, text in warnings:
            typer.echo(f"{kind}: {text}")
        for text in found.sentences:
            typer.echo(text)
        for name, file in files.items():
            typer.echo(f"{name:<6}  {file}")

    result = {"out": place, "files": files, "scaling": found.to_json()}
    return Outcome(result, show, code=1 if found.failed else 0, warnings=warnings)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "scale", scale)
