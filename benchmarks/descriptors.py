"""How much of public collections' descriptors `clean-descriptors` keeps, and how many people's names it would.

The descriptions are those that the Imaging Data Commons lists (PyPI: idc-index-data, read with pyarrow), each once for
a collection; the names are those of the US Census of 1990 (PyPI: names). Neither is needed for anything else. Of the
collections, those with an even hash were looked at while `descriptors.tsv` was made; the others were not. Left out are
collections whose descriptions a program wrote: numbers in fixed order, phantoms.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks._figures import Figure
from benchmarks._fits import Absent
from vesalius.deidentify._text import Cleaner

SECTION = "De-identification"
SOAK = True
SEEDS = (0,)
MODALITIES = ("CT", "MR", "PT", "CR", "DX", "MG", "US", "NM", "XA", "RF")
BY_PROGRAMS = ("nlst", "4d_lung", "victre")
MOST_FREQUENT = 1000
FEW = 500


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Shares of descriptions and of words that stay, and of surnames that would. Quick: the first few of each."""
    del folder, seeds
    every = sorted(_descriptions())
    figures = []
    for half, says in ((1, "not looked at"), (0, "looked at")):
        rows = [row for row in every if _half(row[0]) == half][: FEW if quick else None]
        whole, kept, words = _kept([text for _, text in rows])
        note = f"{whole} of {len(rows)}, of {len({c for c, _ in rows})} collections"
        figures.append(Figure(f"descriptions that stay whole, {says}", f"{whole / len(rows):.3f}", note=note))
        figures.append(Figure(f"words that stay, {says}", f"{kept / words:.3f}", note=f"{kept} of {words}"))
    surnames = _surnames()[: FEW if quick else None]
    stay = [name for name in surnames if Cleaner().clean(f"5.0 {name}") != "5.0"]
    often = [name for name in stay if name in surnames[:MOST_FREQUENT]]
    figures.append(Figure("surnames that would stay", f"{len(stay)}", note=f"of {len(surnames)}"))
    frequent = f"of {MOST_FREQUENT}: {', '.join(often)}"
    figures.append(Figure("of the most frequent of them", f"{len(often)}", note=frequent))
    return figures


def _kept(texts: Sequence[str]) -> tuple[int, int, int]:
    """How many texts keep all their words, how many words stay, and how many there are."""
    cleaner, whole, kept, total = Cleaner(), 0, 0, 0
    for text in texts:
        before = Counter(re.findall(r"[^\W_]+", text.lower()))
        lost = before - Counter(re.findall(r"[^\W_]+", cleaner.clean(text).lower()))
        whole += not lost
        kept += before.total() - lost.total()
        total += before.total()
    return whole, kept, total


def _half(collection: str) -> int:
    return int(hashlib.sha256(collection.encode()).hexdigest(), 16) % 2


def _descriptions() -> set[tuple[str, str]]:
    folder = _package("idc_index_data")
    _package("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    names = ["collection_id", "Modality", "SeriesDescription", "StudyDescription"]
    table: dict[str, list[Any]] = parquet.read_table(folder / "idc_index.parquet", columns=names).to_pydict()
    return {
        (collection, text.strip())
        for collection, modality, *texts in zip(*(table[name] for name in names), strict=True)
        if modality in MODALITIES and collection not in BY_PROGRAMS and "phantom" not in collection
        for text in texts
        if text and text.strip()
    }


def _surnames() -> list[str]:
    lines = (_package("names") / "dist.all.last").read_text(encoding="ascii").splitlines()
    return [line.split()[0] for line in lines]


def _package(name: str) -> Path:
    """Where a package lies. Raises Absent."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise Absent(f"pip install {name.replace('_', '-')}")
    return Path(spec.origin).parent
