"""Label columns of yes and no, taken together: several labels at once, or one of several."""

from __future__ import annotations

from vesalius.cohorts._build import class_labels
from vesalius.cohorts._layout import Options
from vesalius.cohorts._roles import TOLD, Roles
from vesalius.core.cohort import TargetInfo
from vesalius.core.delimited import Table
from vesalius.core.words import counted, listed

YES = {"1", "true", "yes", "y", "dead", "deceased", "died", "death", "event", "1.0", "positive"}
NO = {"0", "false", "no", "n", "alive", "living", "censored", "0.0", "negative", "none"}


def together(
    table: Table, roles: Roles, options: Options, notes: list[str]
) -> tuple[Table, TargetInfo | None]:
    """Return the table with one more column for the label columns that a person named, if all say yes or no.

    `--column label=cyst,tumour` asks for both at once: the new column holds the names of those that are yes, and
    the target is several labels at once; where every row has exactly one yes, it is a class. Rows with an empty
    cell are not known. Nothing is joined where `--target` names one of the columns.
    """
    columns = [c for c in roles.all("label") if roles.reasons[c].endswith(TOLD)]
    if len(columns) < 2 or options.target in columns or not all(_yes_no(table[c]) for c in columns):
        return table, None
    height = len(table[columns[0]])
    rows = [[table[c][k] for c in columns] for k in range(height)]
    held = [
        None
        if None in row
        else [c for c, cell in zip(columns, row, strict=True) if str(cell).casefold() in YES]
        for row in rows
    ]
    known = [h for h in held if h is not None]
    if len(known) < height:
        notes.append(
            f"{counted(height - len(known), 'row does', 'rows do')} not say yes or no in all of "
            f"{listed(columns)}: no target"
        )
    exclusive = bool(known) and all(len(h) == 1 for h in known)
    name = next(n for n in ("labels", "labels together", *columns) if n not in table)
    why = f"{listed(columns)} as told: " + (
        "one of them in every row" if exclusive else "several may hold together"
    )
    info = TargetInfo(name, "class" if exclusive else "multilabel", class_labels(columns), why)
    return {**table, name: [None if h is None else "|".join(h) for h in held]}, info


def _yes_no(cells: list[str | None]) -> bool:
    held = {c.casefold() for c in cells if c is not None}
    return bool(held) and held <= YES | NO
