"""`vesalius deidentify`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._outcome import Outcome, Talk, add
from vesalius.core.words import counted


def deidentify(
    talk: Talk,
    source: Path = typer.Argument(metavar="IN", help="A file, or a folder of them."),
    out: Path = typer.Argument(help="A new folder; the originals are only read."),
    profile: str = typer.Option("basic", "--profile", help="basic or research; see the documentation."),
    option: list[str] | None = typer.Option(
        None, "--option", help="An option of PS3.15 Annex E, such as retain-uids; can be repeated."
    ),
    key: Path | None = typer.Option(
        None, "--key", help="The secret key's file; made if there is none.", show_default="OUT.key"
    ),
    deface: bool = typer.Option(False, "--deface", help="Remove the face from head volumes."),
    resume: bool = typer.Option(False, "--resume", help="Go on with an interrupted run."),
) -> Outcome:
    """Copy IN to OUT without what identifies a person."""
    from vesalius.verbs.deidentify import deidentify as verb

    made = verb(
        source,
        out,
        profile=profile,
        options=option or (),
        key=key,
        deface=deface,
        resume=resume,
        progress=talk.progress,
    )

    def show() -> None:
        secret = "a secret; keep it as you keep the originals"
        typer.echo(f"written    {counted(made.done, 'file')} in {made.out}")
        typer.echo(f"report     {made.report}")
        typer.echo(f"key        {made.key}{' (new)' if made.new_key else ''}: {secret}")
        typer.echo(f"names      {made.names}: which file is which; a secret, too")
        if made.set_aside:
            typer.echo(f"set aside  {counted(len(made.set_aside), 'file')}", err=True)
        for name, reason in made.set_aside:
            typer.echo(f"           {name}: {reason}", err=True)

    result = {
        "out": made.out,
        "written": made.done,
        "report": made.report,
        "key": made.key,
        "new_key": made.new_key,
        "names": made.names,
        "set_aside": [{"file": name, "reason": reason} for name, reason in made.set_aside],
    }
    return Outcome(result, show, code=1 if made.set_aside else 0)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "deidentify", deidentify)
