"""`vesalius find`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add


def find(
    talk: Talk,
    index: Path = typer.Argument(help="A folder that `vesalius index` wrote."),
    words: str = typer.Argument("", help="What is looked for, such as 'left effusion'."),
    image: Path | None = typer.Option(
        None, "--image", help="The image that is asked with: one file, or one folder of a study."
    ),
    count: int = typer.Option(10, "--count", min=1, help="How many cases are found."),
    weight: float = typer.Option(
        0.5, "--weight", min=0.0, max=1.0, help="The share of the words beside an image."
    ),
    where: list[str] | None = typer.Option(
        None,
        "--where",
        metavar="NAME=VALUE",
        help="Look at these cases alone: sex=F, age=40..60, modality=CT; can be repeated.",
    ),
    exact: bool = typer.Option(
        False, "--exact", help="Compare every case, also where the index has a graph."
    ),
    patient: str | None = typer.Option(
        None, "--patient", help="Whose image it is: other cases are left out."
    ),
    own_patient: bool = typer.Option(
        False, "--own-patient", help="Find other cases of the same patient, too."
    ),
    out: Path | None = typer.Option(None, "--output", "-o", help="A page with pictures: .html."),
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
        help="Take an image of another modality or unit than the bundle learned from, too.",
    ),
) -> Outcome:
    """Find the cases of an index that are nearest to words, to an image, or to an image with words."""
    from vesalius.verbs.find import find as verb
    from vesalius.verbs.find_lr import assert_writable

    if out is not None:
        assert_writable(out)
    found = verb(
        index,
        words,
        image=image,
        count=count,
        weight=weight,
        where=pairs(where, "--where"),
        exact=exact,
        patient=patient,
        own_patient=own_patient,
        columns=pairs(column, "--column"),
        layout=layout,
        device=device,
        accept_mismatch=accept_mismatch,
    )
    if out is not None:
        found.show(out)

    def show() -> None:
        typer.echo(f"nearest to {found.what}, among {found.of}")
        for row in found.rows():
            told = "  ".join(str(row[k]) for k in ("target", "image") if row[k])
            typer.echo(f"{row['rank']:>3}  {row['case']}  {row['distance']:.4f}  {told}".rstrip())
        for line in found.remarks():
            typer.echo(f"note: {line}", err=True)
        typer.echo(f"searched: {found.why}")
        if found.left_out:
            typer.echo(f"left out: {found.left_out}, of the same patient or the image itself")
        if out is not None:
            typer.echo(f"page  {out}")

    result = {
        "what": found.what,
        "made_of": found.made_of,
        "cases": found.of,
        "left_out": found.left_out,
        "chosen": found.chosen,
        "where": dict(found.where),
        "search": {"way": "exact" if found.exact else "graph", "why": found.why, "recall": found.recall},
        "outside": None if found.outside is None else list(found.outside),
        "unread_words": list(found.unread),
        "patients": found.patients or None,
        "found": found.rows(),
        "page": out,
    }
    return Outcome(result, show)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "find", find)
