"""The DICOM node on the command line: it runs until Ctrl-C; and what is asked of one beside it."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import typer

from vesalius.cli._app import when_told_to_stop
from vesalius.cli._outcome import Outcome, Talk
from vesalius.core.errors import DataError


def node(
    path: Path,
    talk: Talk,
    *,
    status: bool,
    dead_letters: bool,
    replay: str | None,
    pull: str | None,
    peer: str | None,
) -> Outcome | None:
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
            standing = serving.standing(found)
            return _said({"status": asdict(standing)}, "\n".join(serving.status(standing)))
        if dead_letters:
            dead = serving.dead_series(found)
            lines = "\n".join(serving.dead_letters(dead)) or "none"
            return _said({"dead_letters": [asdict(one) for one in dead]}, lines)
        if replay is not None:
            count = serving.replay(found, replay)
            return _said({"replayed": count}, f"{count} series are tried again")
        if pull is not None:
            from vesalius.serve.node.puller import pull as ask

            count = ask(found, pull, peer=peer)
            return _said({"pulled": count, "to": found.aet}, f"{count} instances are sent to {found.aet}")

        def listening(port: int) -> None:
            talk.say(Outcome({"node": {"aet": found.aet, "host": found.host, "port": port}}, lambda: None))

        finished = serving.run_node(found, progress=talk.progress, stop=stop, ready=listening)
        talk.progress.note(
            "stopped" if finished else "stopped; the series at work is taken up at the next start"
        )
    return None


def _said(result: dict[str, object], words: str) -> Outcome:
    return Outcome(result, lambda: typer.echo(words))
