"""`vesalius explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import typer

from vesalius.cli._app import number_or_word, pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.cli._results import rows
from vesalius.core.words import listed


def explain(
    talk: Talk,
    bundle: Path = typer.Argument(help="A bundle, or the run that holds it."),
    source: Path = typer.Argument(
        metavar="INPUT", help="One file, one folder of a study, or a whole cohort."
    ),
    out: Path = typer.Option(..., "--output", "-o", help="A new folder for the maps."),
    method: list[str] | None = typer.Option(
        None,
        "--method",
        help="How to explain: gradcam, integrated-gradients, occlusion, lime, shap-kernel, …, or all; can be repeated.",
        show_default="gradcam, integrated-gradients and shap-kernel",
    ),
    ask: str | None = typer.Option(
        None,
        "--ask",
        help="What is asked of the answer: a label's name, region=2, box=1, horizon=365.",
        show_default="what the answer says most of",
    ),
    samples: int | None = typer.Option(
        None,
        "--samples",
        min=2,
        help="Changed images that a method may look at.",
        show_default="the method's own",
    ),
    pieces: int = typer.Option(
        60, "--pieces", min=2, help="Superpixels or supervoxels that the image is cut into."
    ),
    stand_in: str = typer.Option(
        "blur", "--stand-in", help="What stands where a part is taken away: blur or mean."
    ),
    check: str = typer.Option("usual", "--check", help="How much each map is measured: none, usual or full."),
    seed: int = typer.Option(0, "--seed", help="The seed of all that is drawn."),
    against: Path | None = typer.Option(
        None, "--against", help="A model of the same question that learned from labels in a random order."
    ),
    randomised_labels: str | None = typer.Option(
        None,
        "--randomised-labels",
        metavar="TIME",
        help="Train such a model from the run's data, for at most so long (2m); it is kept in the run's folder.",
    ),
    dicom: bool = typer.Option(
        False, "--dicom", help="A parametric map and a secondary capture too, in the study of the source."
    ),
    column: list[str] | None = typer.Option(
        None, "--column", help="ROLE=NAME of a table's column; can be repeated."
    ),
    covariate: list[str] | None = typer.Option(
        None, "--covariate", help="NAME=VALUE that is known of each case, such as age=61; can be repeated."
    ),
    layout: str | None = typer.Option(None, "--layout", help="How to read it; see `vesalius layouts`."),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
    accept_mismatch: bool = typer.Option(
        False,
        "--accept-mismatch",
        help="Explain answers to images of another modality or unit than the bundle learned from, too.",
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on with an interrupted explain."),
) -> Outcome:
    """Say what the answer to each case of INPUT rests on: a map a method, and how far it can be believed."""
    from vesalius.core.errors import UnknownName
    from vesalius.run.explaining import Explanations
    from vesalius.verbs.explain import explain as verb

    if check not in ("none", "usual", "full"):
        raise UnknownName("check", check, ["none", "usual", "full"])
    done = verb(
        bundle,
        source,
        out,
        method=method,
        ask=ask,
        samples=samples,
        pieces=pieces,
        stand_in=stand_in,
        check=cast(Literal["none", "usual", "full"], check),
        seed=seed,
        against=against,
        randomised_labels=randomised_labels,
        dicom=dicom,
        columns=pairs(column, "--column"),
        covariates={k: number_or_word(v) for k, v in pairs(covariate, "--covariate").items()},
        layout=layout,
        device=device,
        accept_mismatch=accept_mismatch,
        resume=resume,
        progress=talk.progress,
    )
    assert isinstance(done, Explanations)

    def show() -> None:
        typer.echo(f"{len(done.case_ids)} explained in {done.out}")
        if done.page is not None:
            typer.echo(f"all of them together: {done.page}")
        if done.set_aside:
            typer.echo(f"{len(done.set_aside)} could not be explained: {done.out / 'failed.csv'}", err=True)
            cases = listed([s.case for s in done.set_aside], 3)
            typer.echo(f"  {cases}: {done.set_aside[0].reason}", err=True)

    result = {
        "out": done.out,
        "explanations": rows(done.out / "explanations.csv"),
        "faithfulness": rows(done.out / "faithfulness.csv"),
        "neighbours": rows(near) if (near := done.out / "neighbours.csv").is_file() else [],
        "page": done.page,
        "set_aside": [{"case": item.case, "reason": item.reason} for item in done.set_aside],
    }
    return Outcome(result, show, code=1 if done.set_aside else 0)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "explain", explain)
