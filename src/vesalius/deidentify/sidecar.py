"""Side-cars: of JSON only members that describe the acquisition, of gradient tables only numbers."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from vesalius.core.disk import write_text
from vesalius.deidentify._read import SetAside
from vesalius.deidentify._text import Cleaner
from vesalius.deidentify.dicom import Done
from vesalius.deidentify.options import Settings

_LARGEST = 64 << 20
_TERMS = """
    i j k i- j- k- 1D 2D 3D ORIGINAL DERIVED PRIMARY SECONDARY AXIAL LOCALIZER M P R I ND NORM DIS2D DIS3D FM MOSAIC
    MAGNITUDE PHASE REAL IMAGINARY OTHER NONE MR CT PT US MEG HFS HFP FFS FFP HFDR HFDL FFDR FFDL ADC FA TRACEW
    DIFFUSION FFE SE GR IR M_FFE M_SE SUB MIP MPR FMRI PERFUSION ASL MOCO DFC CSA
"""


@cache
def members() -> Mapping[str, str]:
    """Return what each member that may stay holds: number, words or term."""
    lines = (Path(__file__).parent / "sidecar.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")][1:]
    return {row[0]: row[1] for row in rows}


def deidentify(path: Path, out: Path, target: PurePosixPath, *, settings: Settings) -> Done:
    """Write the copy. Raises SetAside, OutputError.

    A member stays only under a name that BIDS or dcm2niix gives to a fact of the acquisition; text in it is cleaned
    to the words of the standard's codes. Dates, names, identifiers, protocol names and whatever else goes.
    """
    if path.stat().st_size > _LARGEST:
        raise SetAside("too large for a side-car")
    try:
        text = path.read_text(encoding="utf-8-sig")
        return _json(text, out, target) if target.suffix == ".json" else _table(text, out, target)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise SetAside("damaged, or not a side-car") from error


def _json(text: str, out: Path, target: PurePosixPath) -> Done:
    counts: Counter[tuple[str, str]] = Counter()
    read = json.loads(text)
    if not isinstance(read, dict):
        raise SetAside("JSON that is not a side-car")
    kept = _members(read, counts)
    write_text(out / target, json.dumps(kept, indent=2) + "\n")
    return Done(target, counts)


def _members(read: dict[str, Any], counts: Counter[tuple[str, str]]) -> dict[str, Any]:
    cleaner, kept = Cleaner(), {}
    for name, value in read.items():
        if name not in members():
            counts["members that do not describe the acquisition", "X"] += 1
            continue
        new = _value(name, value, cleaner)
        if new is None or new in ("", []):
            counts[name, "X"] += 1
            continue
        if new != value:
            counts[name, "C"] += 1
        kept[name] = new
    return kept


def _value(name: str, value: Any, cleaner: Cleaner) -> Any:
    holds = members()[name]
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return value if holds == "number" and math.isfinite(value) else None
    if isinstance(value, list):
        new = [_value(name, v, cleaner) for v in value]
        return new if all(v is not None for v in new) else None
    if not isinstance(value, str) or holds == "number":
        return None
    if holds == "term":
        return value if value in _TERMS.split() else None
    return cleaner.clean(value)


_MOST = 100_000  # s/mm²


def _table(text: str, out: Path, target: PurePosixPath) -> Done:
    """Return a gradient table: rows of numbers, or it is set aside."""
    rows = [[float(cell) for cell in line.split()] for line in text.splitlines() if line.strip()]
    if (
        not rows
        or len(rows) > 16
        or any(len(row) != len(rows[0]) for row in rows)
        or not all(map(all_small, rows))
    ):
        raise SetAside("not a table of gradients")
    write_text(out / target, "".join(" ".join(f"{v:.10g}" for v in row) + "\n" for row in rows))
    return Done(target, Counter())


def all_small(row: list[float]) -> bool:
    """Return whether every number is one, and none is so large that it is no b-value but somebody's."""
    return all(math.isfinite(v) and abs(v) < _MOST for v in row)
