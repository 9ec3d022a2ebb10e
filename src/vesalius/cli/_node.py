"""The DICOM node on the command line: it runs until Ctrl-C; and what is asked of one beside it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import typer

from vesalius.cli._app import shown_progress
from vesalius.core.errors import DataError


def node(
    path: Path, *, status: bool, dead_letters: bool, replay: str | None, pull: str | None, peer: str | None
) -> None:
    """Run the node of a settings file, or say or do what is asked of it."""
    asked = sum((status, dead_letters, replay is not None, pull is not None))
    with nullcontext() if asked else _told_to_stop() as stop:
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
        elif stop is not None:
            progress = shown_progress()
            finished = serving.run_node(found, progress=progress, stop=stop)
            progress.note(
                "stopped" if finished else "stopped; the series at work is taken up at the next start"
            )


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Set by Ctrl-C or SIGTERM, either of which is a regular end, with exit code 0."""
    stop = threading.Event()
    before = {n: signal.signal(n, lambda *_: stop.set()) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
