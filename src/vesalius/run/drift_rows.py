"""Where the cases of a folder lie beside those that a bundle learned from: a table, and whether they drift."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.infer.drift import Drift
from vesalius.infer.drifting import DriftReport, of_folder, reference_of, whose
from vesalius.infer.evidence import UNKNOWN
from vesalius.run.ledger import Ledger, Sheet

TABLE = "drift.csv"


class DriftRows:
    """The table `drift.csv` of a predict's folder: at which percentile of the reference each feature of a case lies.

    A bundle without a reference has no such table. What a predict that was interrupted wrote counts, too; whose the
    cases are is known of those in `known`, and of those that are heard of.
    """

    def __init__(self, sheet: Sheet, bundle: Bundle, known: Iterable[Case] = ()) -> None:
        self._sheet, self._reference = sheet, reference_of(bundle)
        self._patients = {case.id: case.patient for case in known}
        self._heard: dict[str, tuple[int, ...]] = {}

    def hear(self, case: Case, bins: tuple[int, ...]) -> None:
        """Take in where a case lies, to be written with its answer."""
        self._heard[case.id] = bins
        self._patients[case.id] = case.patient

    def write(self, case: str) -> None:
        """Write the row of a case that was heard of, before the row of its answer."""
        bins = self._heard.pop(case, None)
        if self._reference is None or bins is None:
            return
        self._sheet.enlist(TABLE, [{"case": case, **cells_of(self._reference, bins)}])

    def report(self) -> DriftReport:
        """Return the drift of all cases whose rows are on disk, one of each patient."""
        return of_folder(self._reference, self._rows())

    def _rows(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        if self._reference is not None:
            rows = Ledger(self._sheet.folder / TABLE).rows()
            yield from bins_of(self._reference, ((r, self._patients.get(r["case"])) for r in rows))


def cells_of(reference: Drift, bins: Sequence[int]) -> dict[str, str]:
    """Return the cells of a row: at which percentile of the reference each feature lies."""
    return {
        name: "" if b == UNKNOWN else f"{reference.percentile(b):.2f}"
        for name, b in zip(reference.names, bins, strict=True)
    }


def bins_of(
    reference: Drift, rows: Iterable[tuple[Mapping[str, str], str | None]]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield by which name each row counts, and the bins of its cells; rows come with the patient, where it is known."""
    middles = [reference.percentile(b) for b in range(len(reference.gaps))]
    places = {f"{middle:.2f}": b for b, middle in enumerate(middles)}
    for row, patient in rows:
        yield whose(row["case"], patient), tuple(places.get(row[name], UNKNOWN) for name in reference.names)
