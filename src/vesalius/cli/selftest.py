"""`vesalius selftest`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from vesalius.cli._outcome import Outcome, add
from vesalius.core.errors import VesaliusError

if TYPE_CHECKING:
    from vesalius.infer.selftest.checking import SelfTest


def selftest(
    bundles: list[Path] = typer.Argument(metavar="BUNDLE…", help="Bundles, or the runs that hold them."),
    record: Path | None = typer.Option(
        None,
        "--record",
        metavar="NEW",
        help="A new folder for a copy of the bundle whose self-test is recorded on this machine.",
    ),
    device: str | None = typer.Option(
        None, "--device", help="cpu, cuda, …", show_default="a GPU where there is one"
    ),
) -> Outcome:
    """Prove that bundles answer here as they did where they were made, on made-up images that they hold."""
    from vesalius.verbs.selftest import selftest as verb

    if record is not None and len(bundles) > 1:
        raise VesaliusError(
            "--record makes a copy of one bundle", found=f"{len(bundles)} bundles", hint="one at a time"
        )
    done = [verb(bundle, record=record, device=device) for bundle in bundles]

    def show() -> None:
        for found in done:
            _show(found)

    result = {"bundles": [_data(found) for found in done]}
    return Outcome(result, show, code=0 if all(found.passed for found in done) else 1)


def _data(found: SelfTest) -> dict[str, Any]:
    rows = [{**asdict(row), "passed": row.passed} for row in found.rows]
    return {**asdict(found), "rows": rows, "passed": found.passed, "largest": found.largest}


def _show(found: SelfTest) -> None:
    """Print what was compared, the verdict, and the machines of the test and of the record."""
    from rich.markup import escape
    from rich.table import Table

    from vesalius.cli._show import console
    from vesalius.infer.selftest.checking import said

    if found.rows:
        table = Table(title=escape(found.bundle), title_justify="left", box=None, pad_edge=False)
        for name in ("input", "what", "expected", "found", "difference", "limit", ""):
            table.add_column(name)
        for row in found.rows:
            cells = (row.what, *map(said, (row.expected, row.found, row.difference, row.limit)))
            table.add_row(str(row.input), *map(escape, cells), "" if row.passed else "[bold red]differs[/]")
        console().print(table)
        console().print(escape(f"here: {found.here}"), soft_wrap=True)
        console().print(escape(f"recorded on: {found.there}"), soft_wrap=True)
    took = f" ({found.seconds:.2f} s)" if found.rows else ""
    console().print(escape(f"{found.bundle}: {found.outcome}: {found.why}{took}"), soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "selftest", selftest)
