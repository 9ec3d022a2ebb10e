"""`vesalius serve`."""

from __future__ import annotations

from pathlib import Path

import typer


def serve(
    dicom: Path = typer.Option(
        ..., "--dicom", metavar="SETTINGS", help="Run the DICOM node of a settings file."
    ),
    status: bool = typer.Option(False, "--status", help="Say where the node's series stand."),
    dead_letters: bool = typer.Option(False, "--dead-letters", help="List the series that were given up."),
    replay: str | None = typer.Option(
        None, "--replay", metavar="UID", help="Answer a series again; or, with all, each that was given up."
    ),
    pull: str | None = typer.Option(
        None, "--pull", metavar="STUDY", help="Ask a PACS to send a study to the node (C-MOVE)."
    ),
    peer: str | None = typer.Option(
        None, "--from", metavar="NAME", help="The destination that is asked [the only one]."
    ),
) -> None:
    """Listen for studies, answer them with bundles and send the results back, until Ctrl-C."""
    from vesalius.cli._node import node

    node(dicom, status=status, dead_letters=dead_letters, replay=replay, pull=pull, peer=peer)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)
