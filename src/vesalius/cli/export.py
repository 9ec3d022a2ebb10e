"""`vesalius export`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from vesalius.cli._outcome import Outcome, add
from vesalius.core.errors import UsageError

if TYPE_CHECKING:
    from vesalius.exports.contract import Exported


def export(
    bundle: Path = typer.Argument(metavar="BUNDLE", help="A bundle, or the run that holds it."),
    to: str = typer.Option(..., "--to", help="A form of `vesalius exports`: onnx, openvino, torchexport …"),
    out: Path | None = typer.Option(
        None, "-o", "--out", help="A new folder.", show_default="runs/export-1, export-2 …"
    ),
    member: str = typer.Option("all", "--member", help="One member of an ensemble, from 0; or all."),
    no_script: bool = typer.Option(
        False,
        "--no-script",
        help="Leave out the script that answers with numpy and onnxruntime alone.",
    ),
) -> Outcome:
    """Write a bundle in a form that other tools read, read it back with their own library, and compare."""
    from vesalius.verbs.export import export as verb

    found = verb(bundle, to, out=out, member=_member(member), script=not no_script)
    return Outcome(_data(found), lambda: _show(found))


def _member(text: str) -> int | None:
    """Return which member is meant; None is all of them. Raises UsageError for what is no number."""
    if text == "all":
        return None
    if not text.isdecimal():
        raise UsageError("--member takes a number from 0, or all", found=repr(text))
    return int(text)


def _data(found: Exported) -> dict[str, Any]:
    return {
        "out": str(found.path),
        "to": found.to,
        "bundle": found.bundle_sha256,
        "files": list(found.files),
        "agreement": [{**asdict(one), "limit": one.limit} for one in found.agreements],
        "script": None if found.script is None else dict(found.script),
        "notes": list(found.notes),
        "left_out": list(found.left_out),
    }


def _show(found: Exported) -> None:
    """Print how far each member agrees, what the script does, and what no export has."""
    from rich.markup import escape

    from vesalius.cli._show import console

    lines = [
        f"member {one.member}: raw outputs differ by at most {one.difference:.2g} in {one.by} "
        f"(limit {one.limit:.2g})"
        for one in found.agreements
    ]
    if found.script is not None:
        lines.append(
            f"the script answers {found.script['cases']} made-up cases as Vesalius does, within "
            f"{found.script['difference']:.2g}"
        )
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"left out: {what}" for what in found.left_out]
    for line in [*lines, f"{found.path}: {', '.join(found.files)}"]:
        console().print(escape(line), soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "export", export)
