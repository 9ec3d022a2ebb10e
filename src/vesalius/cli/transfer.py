"""`vesalius transfer`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import numbers, pairs, parts
from vesalius.cli._outcome import Outcome, Talk, add


def transfer(
    talk: Talk,
    data: Path = typer.Argument(help="A folder, a table, an npz, a tree of DICOM series."),
    out: Path | None = typer.Option(
        None,
        "--output",
        "-o",
        help="The grid's folder; the same again goes on where it was.",
        show_default="runs/transfer-<data>",
    ),
    shares: str | None = typer.Option(
        None, "--shares", help="Shares of the labels that are kept.", show_default="1,0.1"
    ),
    counts: str | None = typer.Option(
        None, "--counts", help="How many labels are kept, in place of shares: 20,50,100."
    ),
    seeds: str = typer.Option("0,1,2", "--seeds", help="Trainings of every arm; each hides other labels."),
    arms: str | None = typer.Option(
        None,
        "--arms",
        help="nothing: from random weights. weights: those of --init. self: self-supervised on all training pictures. "
        "both: that, from those weights.",
        show_default="all four",
    ),
    init: str = typer.Option(
        "mobilenetv2-imagenet",
        "--init",
        help="The weights of the arms weights and both, as for fit; none: no such arms. Their net is that of all arms.",
    ),
    time_limit: str = typer.Option(
        "90s", "--time-limit", help="For each fit; none where --set fixes the steps."
    ),
    pretrain_limit: str = typer.Option("5m", "--pretrain-limit", help="For each pre-training, one a seed."),
    recipe: str | None = typer.Option(
        None,
        "--recipe",
        help="How to pre-train; see `vesalius recipes`.",
        show_default="as `vesalius pretrain` does",
    ),
    shift: str | None = typer.Option(
        None, "--shift", help="COLUMN=VALUE: do not learn from that group, and test on it, too: scanner=B."
    ),
    metric: str | None = typer.Option(
        None, "--metric", help="The figure of the table.", show_default="the first of a report"
    ),
    task: str | None = typer.Option(
        None, "--task", help="What to do.", show_default="follows from the target"
    ),
    target: str | None = typer.Option(None, "--target", help="What to learn, where there are several."),
    settings: list[str] | None = typer.Option(
        None, "--set", help="Override the plan of every fit: net.name=resnet-18; can be repeated."
    ),
    pretrain_settings: list[str] | None = typer.Option(
        None, "--pretrain-set", help="Override the plan of every pre-training; can be repeated."
    ),
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
    keep: bool = typer.Option(
        False, "--keep", help="Keep the run of every fit, and not only its scorecards and its plan."
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
) -> Outcome:
    """What weights to begin from are worth on DATA: fits from several beginnings, over shares of the labels."""
    from vesalius.cli._show import transfer_table
    from vesalius.evaluate.transfer import CSV, JSON, PAGE
    from vesalius.verbs.transfer import folder_of
    from vesalius.verbs.transfer import transfer as verb

    place = folder_of(data, out)
    found = verb(
        data,
        place,
        task=task,
        target=target,
        shares=None if shares is None else [float(x) for x in numbers(shares, "--shares")],
        counts=None if counts is None else [int(x) for x in numbers(counts, "--counts", whole=True)],
        seeds=[int(x) for x in numbers(seeds, "--seeds", whole=True)],
        arms=None if arms is None else parts(arms),
        init=init,
        time_limit=None if time_limit == "none" else time_limit,
        pretrain_limit=None if pretrain_limit == "none" else pretrain_limit,
        recipe=recipe,
        shift=pairs([shift], "--shift") if shift else None,
        metric=metric,
        settings=pairs(settings, "--set"),
        pretrain_settings=pairs(pretrain_settings, "--pretrain-set"),
        split=split,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        max_set_aside=max_set_aside,
        keep=keep,
        device=device,
        progress=talk.progress,
    )
    files = {"table": str(place / JSON), "csv": str(place / CSV), "page": str(place / PAGE)}

    def show() -> None:
        transfer_table(found)
        for name, file in files.items():
            typer.echo(f"{name:<6}  {file}")

    result = {"out": place, "files": files, "transfer": found.to_json()}
    return Outcome(result, show, warnings=[("note", text) for text in found.notes])


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "transfer", transfer)
