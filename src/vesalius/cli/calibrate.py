"""`vesalius calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from vesalius.cli._app import number_or_word, pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.words import counted


def calibrate(
    talk: Talk,
    bundle: Path = typer.Argument(help="A bundle, or the run that holds it."),
    data: Path = typer.Argument(
        metavar="COHORT", help="A cohort with the truth, of cases that the bundle never saw."
    ),
    out: Path = typer.Option(..., "--output", "-o", help="A new folder for the calibrated copy."),
    coverage: float = typer.Option(0.9, "--coverage", help="The promised share, between 0 and 1."),
    way: str = typer.Option(
        "",
        "--way",
        help="How: lac, aps or raps of one class of several; absolute, normalised or quantile of a number.",
        show_default="the usual one of the answer's kind",
    ),
    by: str | None = typer.Option(
        None, "--by", help="A column, such as site: thresholds for each group with 50 cases at least."
    ),
    withhold: str | None = typer.Option(
        None,
        "--withhold",
        help="Which answers to withhold: the largest share of errors among the others, such as 0.05; or several.",
    ),
    refit: list[str] | None = typer.Option(
        None, "--refit", help="What else to fit anew: temperature, …; see `vesalius refits`; can be repeated."
    ),
    settings: list[str] | None = typer.Option(
        None,
        "--set",
        help="Options for what is fitted anew: task.options.threshold=sensitivity:0.95; can be repeated.",
    ),
    doubt: str | None = typer.Option(
        None, "--doubt", help="How answers are doubted, of the way normalised; see `vesalius opinions`."
    ),
    samples: int | None = typer.Option(
        None, "--samples", min=2, help="Opinions that dropout gives.", show_default="20"
    ),
    split: str | None = typer.Option(
        None, "--split", help="val, test or all, or a CSV with case,split; by default the test cases, or all."
    ),
    target: str | None = typer.Option(None, "--target", help="The truth, where there are several."),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    labels: list[str] | None = typer.Option(
        None, "--labels", help="WORD=LABEL: what a class or a mask's value stands for; can be repeated."
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
    accept_mismatch: bool = typer.Option(
        False,
        "--accept-mismatch",
        help="Use images of another modality or unit than the bundle learned from, too.",
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on with an interrupted calibrate."),
) -> Outcome:
    """Write a copy of a bundle whose answers promise a coverage: sets, intervals, outer masks."""
    from vesalius.verbs.calibrate import calibrate as verb

    is_file = split is not None and split not in ("train", "val", "test", "all")
    made = verb(
        bundle,
        data,
        out,
        coverage=coverage,
        way=way,
        by=by,
        withhold=None if withhold is None else number_or_word(withhold),
        refit=refit or (),
        settings=pairs(settings, "--set"),
        doubt=doubt,
        samples=samples,
        split=None if is_file else split,
        split_file=split if is_file else None,
        target=target,
        columns=pairs(column, "--column"),
        layout=layout,
        labels=pairs(labels, "--labels"),
        device=device,
        accept_mismatch=accept_mismatch,
        resume=resume,
        progress=talk.progress,
    )
    calibration = made.stages[-1].calibration
    record, rule = calibration["promise"], calibration.get("withhold")

    def show() -> None:
        typer.echo(
            f"{out}: promises {100 * record['coverage']:g} %, from {counted(record['on']['cases'], 'case')}"
        )
        for group, one in {"in all": record["pooled"], **record["groups"]}.items():
            typer.echo(f"  {group}: {_words(one)}")
        if rule is not None and "answered" in rule:
            typer.echo(
                f"  withholds {100 * (1 - rule['answered']):.3g} % of them: of the others {100 * rule['error']:.3g} % "
                f"were wrong, at most {100 * rule['bound']:.3g} % with {100 * rule['confidence']:g} % confidence"
            )

    result = {"out": out, "bundle": made.hash, "promise": record, "withhold": rule}
    return Outcome(result, show)


def _words(thresholds: dict[str, Any]) -> str:
    """Return thresholds in words, each with the number of cases that it stands on."""
    parts = []
    for name, at in thresholds["at"].items():
        lead = f"{name} " if name else ""
        value = "nothing left out" if at is None else f"{at:.4g}"
        parts.append(f"{lead}{value} (n = {thresholds['n'][name]})")
    return ", ".join(parts)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "calibrate", calibrate)
