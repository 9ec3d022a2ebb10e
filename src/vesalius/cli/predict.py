"""`vesalius predict`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import number_or_word, pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.cli._results import rows
from vesalius.core.words import listed


def predict(
    talk: Talk,
    bundle: Path = typer.Argument(help="A bundle, or the run that holds it."),
    source: Path = typer.Argument(
        metavar="INPUT", help="One file, one folder of a study, or a whole cohort."
    ),
    out: Path = typer.Option(..., "--output", "-o", help="A new folder for the answers."),
    overlays: bool = typer.Option(False, "--overlays", help="A picture of each answer too."),
    dicom: bool = typer.Option(
        False, "--dicom", help="DICOM objects of each answer too: SEG, SR, …, in the study of its source."
    ),
    also: list[str] | None = typer.Option(
        None,
        "--also",
        help="A further file of each answer, by its suffix: .json, .rt.dcm, .sc.dcm, …; can be repeated.",
    ),
    mirror: str = typer.Option(
        "", "--mirror", help="Axes of mirror test-time augmentation, such as x or xy."
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
        help="Answer images of another modality or unit than the bundle learned from, too; they are marked.",
    ),
    doubt: str | None = typer.Option(
        None,
        "--doubt",
        help="How far several opinions about each case are apart: members, dropout or mirror; see `vesalius opinions`.",
    ),
    samples: int | None = typer.Option(
        None, "--samples", min=2, help="Opinions that dropout gives.", show_default="20"
    ),
    refuse_unlike: bool = typer.Option(
        False,
        "--refuse-unlike",
        help="Refuse images that are unlike the training cases, instead of marking their answers.",
    ),
    guard: Path | None = typer.Option(
        None,
        "--guard",
        metavar="BUNDLE",
        help="A bundle of what is normal (fit --task anomaly), which looks at each case first and marks what it calls.",
    ),
    words: list[str] | None = typer.Option(
        None,
        "--words",
        help="Ask for this in words, in place of the findings that the bundle names; can be repeated.",
    ),
    guidance: Path | None = typer.Option(
        None,
        "--guidance",
        metavar="FILE",
        help="Strokes by case id, JSON or CSV, for a bundle of clicks; see docs/click.md.",
    ),
    runtime: str = typer.Option(
        "auto",
        "--runtime",
        help="What computes: torch, onnx, openvino, or the fastest here; see `vesalius runtimes`.",
    ),
    resume: bool = typer.Option(False, "--resume", help="Go on with an interrupted predict."),
) -> Outcome:
    """Answer every case of INPUT: answers.csv, and a file a case for masks. Exit code 1 if some could not be."""
    from vesalius.verbs.predict import predict as verb

    done = verb(
        bundle,
        source,
        out,
        overlays=overlays,
        dicom=dicom,
        also=also or (),
        mirror=list(mirror),
        columns=pairs(column, "--column"),
        covariates={k: number_or_word(v) for k, v in pairs(covariate, "--covariate").items()},
        layout=layout,
        device=device,
        accept_mismatch=accept_mismatch,
        doubt=doubt,
        samples=samples,
        refuse_unlike=refuse_unlike,
        guard=guard,
        words=words or (),
        guidance=guidance,
        runtime=runtime,
        resume=resume,
        progress=talk.progress,
    )

    def show() -> None:
        typer.echo(f"{len(done.answered)} answered in {out}")
        if done.drift is not None and len(done.answered) > 1:
            typer.echo(done.drift.sentence, err=bool(done.drift.drifted))
        if not done.set_aside:
            return
        lacking = {item.case for item in done.set_aside}  # a case can lack several files, each with a reason
        answered = lacking & set(done.answered)
        if lacking - answered:
            typer.echo(f"{len(lacking - answered)} could not be answered: {out / 'failed.csv'}", err=True)
        if answered:
            typer.echo(
                f"{len(answered)} answered, but without some of its files: {out / 'failed.csv'}", err=True
            )
        alike: dict[str, list[str]] = {}
        for item in done.set_aside:
            alike.setdefault(item.reason, []).append(item.case)
        for reason, cases in alike.items():
            typer.echo(f"  {listed(cases, 3)}: {reason}", err=True)

    result = {
        "out": out,
        "answers": rows(out / "answers.csv"),
        "set_aside": [{"case": item.case, "reason": item.reason} for item in done.set_aside],
        "runtime": done.runtime,
        "drift": None if done.drift is None else done.drift.json(),
    }
    return Outcome(result, show, code=1 if done.set_aside else 0)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "predict", predict)
