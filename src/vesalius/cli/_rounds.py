"""What simulated rounds of labelling came to, as `vesalius suggest --simulate` says it."""

from __future__ import annotations

import typer
from rich.markup import escape
from rich.table import Table

from vesalius.cli._outcome import Outcome
from vesalius.cli._show import console
from vesalius.core.words import counted
from vesalius.run.labelling_curve import CSV, JSON, PAGE, LabellingCurve, written


def rounds_outcome(found: LabellingCurve) -> Outcome:
    """Return the outcome: code 1 where a fit failed, which is named."""
    files = {} if found.path is None else {"table": JSON, "csv": CSV, "page": PAGE}
    places = {name: str(found.path / file) for name, file in files.items() if found.path is not None}
    warnings = [("note", text) for text in found.notes]
    warnings += [("left out", f"{name}: {why}") for name, why in found.left_out.items()]
    warnings += [("failed", f"{name}: {why}") for name, why in found.failed.items()]

    def show() -> None:
        for kind, text in warnings:
            console().print(f"[bold yellow]{escape(kind)}:[/] {escape(text)}", soft_wrap=True)
        for text in found.verdicts:
            console().print(escape(text), soft_wrap=True)
        who = f" of {counted(found.test_patients, 'patient')}" if found.patients_known else ""
        title = f"tested on {counted(found.test_cases, 'case')}{who}, the same for every fit"
        table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
        for name in ("strategy", "labels", f"{found.called} (95 %)", "less random (95 %)", "verdict"):
            table.add_column(escape(name))
        for point in found.points:
            table.add_row(*map(escape, written(point)))
        console().print(table)
        for name, file in places.items():
            typer.echo(f"{name:<6}  {file}")

    return Outcome(
        {"out": found.path, "files": places, "simulation": found.to_json()},
        show,
        code=1 if found.failed else 0,
        warnings=warnings,
    )
