"""A table of features while it is made: rows that are on disk at once, and a file of its own name when all is done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.core.disk import output_errors, write_text, write_with
from vesalius.core.errors import OutputError
from vesalius.core.feature_table import CASE, TEXTS, record_of
from vesalius.run.ledger import Ledger

SUFFIXES = (".parquet", ".csv")


class FeaturesFile:
    """The table `out`, and `NAME.json` beside it, which says how it was made.

    Until both are there, rows lie in `OUT.partial.csv` and what they depend on in `OUT.unfinished.json`. Raises
    OutputError for another suffix than those of SUFFIXES.
    """

    def __init__(self, out: Path) -> None:
        if out.suffix.lower() not in SUFFIXES:
            raise OutputError(
                "features are written as a table",
                found=out.name,
                hint=f"-o {out.stem or 'features'}.parquet, or .csv",
            )
        self.out, self.about = out, record_of(out)
        self.mark = out.with_name(f"{out.name}.unfinished.json")
        self.rows = Ledger(out.with_name(f"{out.name}.csv"))

    def begin(self, told: Mapping[str, Any], *, resume: bool) -> list[str]:
        """Return the cases whose rows are there already; `told` is what rows depend on, and must be as it was.

        What the last of them has may be cut short, so that it is measured again. Raises OutputError.
        """
        for path in (self.out, self.about):
            if path.exists():
                raise OutputError(f"{path} exists; nothing is overwritten", hint="another -o")
        if self.mark.is_file() != resume:
            if resume:
                raise OutputError(
                    f"nothing to resume: no interrupted features in {self.out}", hint="no --resume"
                )
            raise OutputError(
                f"an interrupted {self.out} lies there", hint="--resume to go on with it, or another -o"
            )
        if not resume:
            self.rows.restart()
            with output_errors(self.mark):
                self.mark.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.mark, json.dumps(told, indent=1) + "\n")
            return []
        before = self._marked()
        for name, value in json.loads(json.dumps(told)).items():
            if before.get(name) != value:
                raise OutputError(
                    f"the features in {self.out} were begun with another {name.replace('_', ' ')}",
                    found=f"{before.get(name)!s:.80}, and now {value!s:.80}",
                    hint="the same as then, or another -o",
                )
        cases = list(dict.fromkeys(self.rows.cases()))
        self.rows.keep(cases[:-1])
        return cases[:-1]

    def add(self, case: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append the rows of a case. Raises OutputError."""
        self.rows.extend([{CASE: case, **row} for row in rows])

    def table(self) -> Any:
        """Return the rows so far as a polars table: texts as such, else numbers, of which some may be missing."""
        import polars as pl

        texts = {name: pl.String for name in TEXTS if name in self.rows.names}
        return pl.read_csv(
            self.rows.partial,
            schema={n: texts.get(n, pl.Float64) for n in self.rows.names},
            null_values=["nan"],
        )

    def close(self, table: Any, about: Mapping[str, Any]) -> None:
        """Write how it was made, then the table under its own name. Raises OutputError."""
        write_text(self.about, json.dumps(about, indent=1, ensure_ascii=False) + "\n")
        if self.out.suffix.lower() == ".csv":
            write_with(self.out, table.write_csv)
        else:
            write_with(self.out, table.write_parquet)
        self.discard()

    def discard(self) -> None:
        """Leave nothing of what was begun."""
        self.rows.restart()
        with output_errors(self.mark):
            self.mark.unlink(missing_ok=True)

    def _marked(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.mark.read_text(encoding="utf-8"))
            return found
        except (OSError, ValueError) as error:
            raise OutputError(f"{self.mark} cannot be read", found=str(error), hint="another -o") from error
