"""`vesalius predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from vesalius.cli._app import number_or_word, pairs
from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.cli._results import rows
from vesalius.core.errors import UsageError
from vesalius.core.words import listed

PANEL = "An archive"


def predict(
    talk: Talk,
    bundle: Path = typer.Argument(help="A bundle, or the run that holds it."),
    source: str = typer.Argument(
        metavar="INPUT",
        help="One file, one folder of a study, a whole cohort; an archive, or a server: dicomweb+https://….",
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
    workers: int | None = typer.Option(
        None,
        "--workers",
        min=1,
        help="INPUT is an archive: each of its entries is a study, and so many processes answer.",
        rich_help_panel=PANEL,
    ),
    cluster: str | None = typer.Option(
        None,
        "--cluster",
        help="A Ray cluster whose machines answer an archive, --workers at a time: ray://HOST:PORT, or ray://local.",
        rich_help_panel=PANEL,
    ),
    tries: int | None = typer.Option(
        None,
        "--tries",
        min=1,
        help="How often a study may end its process before it is set aside.",
        show_default="3",
        rich_help_panel=PANEL,
    ),
    case_limit: str | None = typer.Option(
        None, "--case-limit", help="How long a study may take: 90s, 10m.", rich_help_panel=PANEL
    ),
    settle: str | None = typer.Option(
        None, "--settle", help="Leave a study until nothing of it changed for so long.", rich_help_panel=PANEL
    ),
    depth: int | None = typer.Option(
        None,
        "--depth",
        min=1,
        help="How many folders deep studies lie.",
        show_default="1",
        rich_help_panel=PANEL,
    ),
    where: list[str] | None = typer.Option(
        None,
        "--where",
        help="NAME=VALUE of a server's studies: Modality=CT, StudyDate=20260101-20260131; can be repeated.",
        rich_help_panel=PANEL,
    ),
    to: str | None = typer.Option(
        None,
        "--to",
        help="Store DICOM objects at a server: dicomweb+https://host/dicom-web.",
        rich_help_panel=PANEL,
    ),
    login: Path | None = typer.Option(
        None, "--login", help="A file with user:password for INPUT's server.", rich_help_panel=PANEL
    ),
    ca: Path | None = typer.Option(
        None, "--ca", help="Certificates that INPUT's server's is signed by.", rich_help_panel=PANEL
    ),
    to_login: Path | None = typer.Option(
        None, "--to-login", help="A file with user:password for the server of --to.", rich_help_panel=PANEL
    ),
    to_ca: Path | None = typer.Option(
        None, "--to-ca", help="Certificates that the server of --to is signed by.", rich_help_panel=PANEL
    ),
) -> Outcome:
    """Answer every case of INPUT: answers.csv, and a file a case for masks. Exit code 1 if some could not be."""
    from vesalius.run.archive.servers import is_server
    from vesalius.run.archive.told import Archive
    from vesalius.verbs.predict import predict as verb

    told: dict[str, Any] = {
        "workers": workers,
        "cluster": cluster,
        "tries": tries,
        "case_limit": case_limit,
        "settle": settle,
        "depth": depth,
        "where": pairs(where, "--where"),
        "to": to,
        "login": login,
        "ca": ca,
        "to_login": to_login,
        "to_ca": to_ca,
    }
    archive = Archive(**{name: value for name, value in told.items() if value})
    several = workers is not None or cluster is not None
    if not several and archive != Archive() and not is_server(source):
        raise UsageError("these options are for an archive", found=_named(told), hint="--workers 1 as well")
    done = verb(
        bundle,
        source if is_server(source) else Path(source),
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
        archive=archive if several or is_server(source) else None,
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
        "answers": rows(out / "answers.csv") if talk.as_json else [],
        "set_aside": [{"case": item.case, "reason": item.reason} for item in done.set_aside],
        "runtime": done.runtime,
        "drift": None if done.drift is None else done.drift.json(),
        "archive": None if done.archive is None else dict(done.archive),
    }
    return Outcome(result, show, code=1 if done.set_aside else 0)


def _named(told: dict[str, Any]) -> str:
    """Return the options that were given, as they are written."""
    return ", ".join(f"--{name.replace('_', '-')}" for name, value in told.items() if value)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "predict", predict)
