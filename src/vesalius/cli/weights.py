"""`vesalius weights`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from vesalius.cli._outcome import Outcome, add
from vesalius.cli.listing import PANEL

if TYPE_CHECKING:
    from vesalius.run.init import Start

SHOWN = 6  # names that are printed before the others are only counted


def weights(
    what: str | None = typer.Argument(
        None,
        help="A registered name, a file of weights, a folder, a run or a bundle; without it: all names.",
    ),
) -> Outcome:
    """List the weights that `--init` takes by name, or say of a file or a folder what it holds."""
    return _registered() if what is None else _described(what)


def _registered() -> Outcome:
    """Return what is registered, without importing any of it."""
    from vesalius.core import registry
    from vesalius.weights.namings import KIND as NAMINGS
    from vesalius.weights.packages import is_installed
    from vesalius.weights.sources import KIND

    entries = []
    for name, text in registry.names(KIND).items():
        said = registry.literals(KIND, registry.stem_of(KIND, name))
        entries.append(
            {
                "name": name,
                "text": text,
                "net": said["NET"],
                "licence": said["LICENCE"],
                "source": said["SOURCE"],
                "package": said["PACKAGE"],
                "install": said["INSTALL"],
                "installed": is_installed(name),
            }
        )
    namings = registry.names(NAMINGS)

    def show() -> None:
        for one in entries:
            state = "installed" if one["installed"] else f"not installed: {one['install']}"
            typer.echo(f"{one['name']}  {one['text']}")
            typer.echo(f"  net {one['net']}, {one['licence']}; {state}")
        typer.echo("files and folders are read in these namings:")
        for name, text in namings.items():
            typer.echo(f"  {name}  {text}")

    return Outcome({"what": None, "registered": entries, "namings": namings, "found": None}, show)


def _described(what: str) -> Outcome:
    """Return what some weights are. Raises BundleError, UnknownName."""
    from vesalius.run.init import initial_weights

    found = _facts(initial_weights(what))

    def show() -> None:
        for line in _lines(found):
            typer.echo(line)

    return Outcome({"what": what, "registered": [], "namings": {}, "found": found}, show)


def _facts(start: Start) -> dict[str, Any]:
    """Return what is known of weights, as plain data."""
    tensors, given, plan = start.weights, start.given, start.plan
    net = plan.net if plan is not None else given.net if given is not None else None
    common = {
        "origin": start.origin,
        "tensors": len(tensors),
        "numbers": sum(int(t.numel()) for t in tensors.values()),
        "net": None if net is None else {"name": net.name, "scale": net.scale, "options": dict(net.options)},
    }
    if plan is not None:
        return common | {
            "naming": "vesalius",
            "dims": plan.data.dims,
            "channels": plan.data.channels,
            "channel_names": list(plan.data.channel_names),
            "labels": [],
            "head": 0,
            "size": list(plan.data.size[-plan.data.dims :]),
            "spacing_mm": list(plan.data.spacing_mm) if plan.data.spacing_mm else None,
            "licence": start.licence,
            "unused": [],
            "notes": [f"{plan.task.name}; members: {start.members}"],
        }
    if given is None:
        raise AssertionError("weights are either a bundle's or those of others")
    first = next((t for t in given.tensors.values() if t.ndim > 3), None)
    return common | {
        "naming": given.naming or None,
        "dims": given.dims if net is not None else None,
        "channels": int(first.shape[1]) if net is not None and first is not None else None,
        "channel_names": list(given.channels),
        "labels": list(given.labels),
        "head": len(given.head),
        "size": None if given.size is None else list(given.size),
        "spacing_mm": None if given.spacing_mm is None else list(given.spacing_mm),
        "licence": given.licence,
        "unused": list(given.unused),
        "notes": list(given.notes),
    }


def _lines(found: dict[str, Any]) -> list[str]:
    """Return what is known of weights, in words."""
    net = found["net"]
    if net is None:
        return [
            f"{found['origin']}: {found['tensors']} tensors in no naming that is known here",
            "  they are taken over where their names and shapes are those of the planned model",
        ]
    options = ", ".join(f"{k}={v}" for k, v in net["options"].items())
    scale = f" at scale {net['scale']:g}" if net["scale"] != 1 else ""
    channels = f"{found['channels']} channel{'s' if found['channels'] != 1 else ''}"
    named = f" ({', '.join(found['channel_names'])})" if found["channel_names"] else ""
    lines = [
        f"{net['name']}{scale}{f' ({options})' if options else ''}, {found['dims']}-D, {channels}{named}",
        f"  from {found['origin']}; naming: {found['naming']}",
        f"  {found['tensors']} tensors, {found['numbers']:,} numbers"
        + (f", and {found['head']} of its last layer" if found["head"] else ""),
    ]
    if found["size"]:
        lines.append(f"  made for {'×'.join(map(str, found['size']))}")
    if found["spacing_mm"]:
        lines.append(f"  learned from voxels of {'×'.join(f'{s:.4g}' for s in found['spacing_mm'])} mm")
    if found["labels"]:
        lines.append(f"  told apart: {', '.join(found['labels'])}")
    if found["licence"]:
        lines.append(f"  licence: {found['licence']}")
    unused = found["unused"]
    if unused:
        more = f" and {len(unused) - SHOWN} more" if len(unused) > SHOWN else ""
        lines.append(f"  without a place in the net: {', '.join(unused[:SHOWN])}{more}")
    return [*lines, *(f"  {note}" for note in found["notes"])]


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "weights", weights, panel=PANEL, limited=False)
