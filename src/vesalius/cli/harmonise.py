"""`vesalius harmonise`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from vesalius.cli._app import pairs
from vesalius.cli._outcome import Outcome, Talk, add


def harmonise(
    talk: Talk,
    data: Path = typer.Argument(help="A folder or a table of images, or a table of features without images."),
    by: str = typer.Option(
        ..., "--by", help="The column that says which scanner, site or sequence a case is from."
    ),
    threshold: float | None = typer.Option(
        None, "--threshold", help="The largest spread between scanners to bear, such as 0.05."
    ),
    out: Path | None = typer.Option(
        None, "--output", "-o", help="A new folder for what is harmonised, where a way held the threshold."
    ),
    methods: list[str] | None = typer.Option(
        None,
        "--method",
        help="A way to try, or several in turn: nyul, n4+nyul; can be repeated.",
        show_default="all of `vesalius harmonisers` that have a rank",
    ),
    every: bool = typer.Option(False, "--all", help="Try all ways, also after one held."),
    keep: str | None = typer.Option(
        None, "--keep", help="Columns whose effect on features stays: age,sex.", show_default="none"
    ),
    features: str | None = typer.Option(
        None,
        "--features",
        help="The columns of features, with commas.",
        show_default="all columns of numbers",
    ),
    images: list[str] | None = typer.Option(
        None, "--image", help="An image of each case; can be repeated.", show_default="the reference image"
    ),
    effect: str | None = typer.Option(
        None, "--effect", help="A target or column that a plain model tells, before and after."
    ),
    most: int = typer.Option(60, "--most", min=2, help="Images of one scanner that are looked at, at most."),
    seed: int = typer.Option(0, "--seed", min=0, help="Decides folds, draws and what is trained."),
    split: Path | None = typer.Option(None, "--split", help="A CSV with the columns case,split."),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a class stands for; can be repeated."
    ),
) -> Outcome:
    """Try ways of making scanners comparable until their spread holds a threshold. Exit code 1 if none does."""
    from vesalius.cli._harmonised import show_harmonised
    from vesalius.verbs.harmonise import harmonise as verb

    found = verb(
        data,
        out,
        by=by,
        threshold=threshold,
        methods=tuple(methods or ()),
        every=every,
        keep=_names(keep),
        features=_names(features),
        images=tuple(images or ()),
        effect=effect,
        most=most,
        seed=seed,
        layout=layout,
        columns=pairs(column, "--column"),
        split=split,
        labels=pairs(labels, "--labels"),
        progress=talk.progress,
    )
    result = {**asdict(found), "held": found.held}
    warnings = [("note", text) for text in found.said]
    return Outcome(
        result, lambda: show_harmonised(found), code=1 if found.held is False else 0, warnings=warnings
    )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "harmonise", harmonise)
