"""`vesalius nets | tasks | formats | layouts | phantoms`: what is available, one line each."""

from __future__ import annotations

import typer


def show(kind: str) -> None:
    """Print the registered names of a kind with their descriptions."""
    from vesalius.core.registry import literals, names, problems

    listed = names(kind)
    for problem in problems(kind):
        typer.echo(f"vesalius: {problem}", err=True)
    width = max(len(n) for n in listed)
    for name, text in listed.items():
        suffixes = ""
        if kind == "formats":
            suffixes = "  " + " ".join(literals(kind, name.partition("-")[0]).get("SUFFIXES", ()))
        typer.echo(f"{name:<{width}}  {text}{suffixes}")


def nets() -> None:
    """The networks that can be trained."""
    show("nets")


def tasks() -> None:
    """The questions that can be asked."""
    show("tasks")


def formats() -> None:
    """The file formats that are read and written."""
    show("formats")


def layouts() -> None:
    """The ways data may be laid out."""
    show("cohorts")


def phantoms() -> None:
    """The synthetic studies that can be made."""
    show("phantom")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (nets, tasks, formats, layouts, phantoms):
        app.command(command.__name__)(command)
