"""`vesalius deidentify`."""

from __future__ import annotations

from pathlib import Path

import typer

from vesalius.cli._app import shown_progress
from vesalius.core.words import counted


def deidentify(
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
) -> None:
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
        progress=shown_progress(),
    )
    typer.echo(f"written    {counted(made.done, 'file')} in {made.out}")
    typer.echo(f"report     {made.report}")
    typer.echo(
        f"key        {made.key}{' (new)' if made.new_key else ''}: a secret; keep it as you keep the originals"
    )
    typer.echo(f"names      {made.names}: which file is which; a secret, too")
    if made.set_aside:
        typer.echo(f"set aside  {counted(len(made.set_aside), 'file')}", err=True)
        for name, reason in made.set_aside:
            typer.echo(f"           {name}: {reason}", err=True)
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("deidentify")(deidentify)
