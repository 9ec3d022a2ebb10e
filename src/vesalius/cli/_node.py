"""The DICOM node on the command line: it runs until Ctrl-C; and what is asked of one beside it."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from pathlib import Path

import typer

from vesalius.cli._app import shown_progress, when_told_to_stop
from vesalius.core.errors import DataError


def node(
    path: Path, *, status: bool, dead_letters: bool, replay: str | None, pull: str | None, peer: str | None
) -> None:
    """Run the node of a settings file, or say or do what is asked of it."""
    asked = sum((status, dead_letters, replay is not None, pull is not None))
    stop = threading.Event()
    with nullcontext() if asked else when_told_to_stop(stop.set):
        from vesalius.serve.node import run as serving
        from vesalius.serve.node import settings

        if asked > 1:
            raise DataError("one thing at a time", hint="--status, --dead-letters, --replay or --pull")
        if peer is not None and pull is None:
            raise DataError(
                "--from says whom to ask for a study, and none is named", hint=f"--pull STUDY --from {peer}"
            )
        found = settings.load(path)
        if status:
            typer.echo("\n".join(serving.status(found)))
        elif dead_letters:
            lines = serving.dead_letters(found)
            typer.echo("\n".join(lines) or "none")
        elif replay is not None:
            typer.echo(f"{serving.replay(found, replay)} series are tried again")
        elif pull is not None:
            from vesalius.serve.node.puller import pull as ask

            typer.echo(f"{ask(found, pull, peer=peer)} instances are sent to {found.aet}")
        else:
            progress = shown_progress()
            finished = serving.run_node(found, progress=progress, stop=stop)
            progress.note(
                "stopped" if finished else "stopped; the series at work is taken up at the next start"
            )
