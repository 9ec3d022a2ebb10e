"""An index on the disk: a sealed folder of its own (see `core/sealed.py`), written in parts, exchanged whole.

FOLDER/
  index.json                which bundle's vectors they are, of which data, in which way the nearest are found
  vectors-00000.safetensors `vectors` (n, F) float32 of the first cases; then `vectors-00001` …
  cases-00000.jsonl         of each of these cases a line: its target, image, patient and what is known of it
  graph.bin                 what a search goes by that does not compare every case, where there is one
  MANIFEST.sha256

It names patients' files, so that it lies beside a bundle and never in one. A new state is first written whole and
sealed into FOLDER/next; that is the index from then on, whatever a crash leaves of what it replaces.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Ref
from vesalius.core.disk import output_errors, write_bytes
from vesalius.core.errors import BundleError, DataError
from vesalius.core.image import Array
from vesalius.core.index import Entry, Index
from vesalius.core.sealed import MANIFEST, Kind, Sealed, damage_named, open_sealed, write_sealed
from vesalius.core.words import counted

INDEX = Kind(
    "index",
    3,
    source="`vesalius index`, or the folder `neighbours` of a run that `vesalius fit` wrote",
    unfinished="where `vesalius index` was stopped, the same command with --resume",
)
ROWS = 32768  # cases of a part
NEXT = "next"
GRAPH = "graph.bin"
_OLD = "vectors.safetensors"  # of version 2
Part = tuple[Array, Sequence[Entry]]  # vectors (n, F), and as many cases


def save_index(index: Index, path: Path | str) -> None:
    """Write an index into a folder, in place of an earlier one. A crash leaves the old one or the new.

    Raises OutputError.
    """
    write_index(path, head_of(index), parts_of(index.vectors, index.entries), graph=index.graph)


def head_of(index: Index) -> dict[str, Any]:
    """Return what an index says of itself, as its folder keeps it."""
    return {
        "bundle": index.bundle,
        "data_hash": index.data_hash,
        "made_of": index.made_of,
        "measured": dict(index.measured),
        "of": index.of,
        "centred": index.centred,
        "tiles": index.tiles,
        "target": index.target,
        "added": [list(one) for one in index.added],
        "search": dict(index.search),
    }


def parts_of(vectors: Array, entries: Sequence[Entry]) -> Iterator[Part]:
    """Yield vectors and cases in parts of at most `ROWS`."""
    for k in range(0, len(entries), ROWS):
        yield vectors[k : k + ROWS], entries[k : k + ROWS]


def write_index(
    path: Path | str, head: Mapping[str, Any], parts: Iterable[Part], *, graph: bytes | None = None
) -> None:
    """Write an index part by part, so that no more than one part is in memory, and put it in place of an earlier one.

    Raises OutputError.
    """
    from safetensors.numpy import save

    path = Path(path)
    made = path / NEXT
    numbers: list[int] = []
    names: list[str] = []
    width = 0
    with output_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        settle(path)
        _forget(made)
        made.mkdir()
        for k, (vectors, entries) in enumerate(parts):
            own = (f"vectors-{k:05d}.safetensors", f"cases-{k:05d}.jsonl")
            write_bytes(made / own[0], save({"vectors": np.ascontiguousarray(vectors, np.float32)}))
            lines = "".join(json.dumps(entry_json(one)) + "\n" for one in entries)
            write_bytes(made / own[1], lines.encode())
            names += own
            numbers.append(len(entries))
            width = vectors.shape[1]
        if graph is not None:
            write_bytes(made / GRAPH, graph)
            names.append(GRAPH)
        write_sealed(made, INDEX, {**head, "cases": numbers, "features": width}, {}, kept=names)
        settle(path)


def settle(path: Path) -> None:
    """Put what lies sealed in `path/next` in the place of what it replaces; where nothing does, do nothing."""
    made = path / NEXT
    if not (made / MANIFEST).is_file():
        return
    names = sorted(p.name for p in made.iterdir() if p.is_file() and p.name != MANIFEST)
    for name in (*names, MANIFEST):
        _put(made / name, path / name)
    for stale in path.iterdir():
        if stale.is_file() and stale.name not in names and stale.name != MANIFEST:
            stale.unlink()
    _forget(made)


def open_index(path: Path | str, *, bundle: str | None = None) -> Index:
    """Check every byte of an index, then read it. `bundle` is the hash of the bundle that it must belong to.

    Raises BundleError where there is none, it was changed, or it is of another bundle.
    """
    path = Path(path)
    found = _read(path / NEXT if (path / NEXT / MANIFEST).is_file() else path)
    if bundle is not None and found.bundle != bundle:
        raise BundleError(
            f"the index in {path} is of another bundle, whose features mean something else",
            found=f"one of bundle {found.bundle[:12]}, for bundle {bundle[:12]}",
            hint="fit --resume on the run, which makes it anew, or `vesalius index` with that bundle",
        )
    return found


def entry_json(one: Entry) -> dict[str, Any]:
    """Return what an index keeps of a case, as JSON holds it."""
    about: dict[str, Any] = {"case": one.case, "target": one.target, "marks": list(one.marks)}
    if one.patient is not None:
        about["patient"] = one.patient
    if one.covariates:
        about["covariates"] = dict(one.covariates)
    if one.modality is not None:
        about["modality"] = one.modality
    if one.image is not None:
        about["image"] = {
            "paths": [str(p) for p in one.image.paths],
            "member": one.image.member,
            "index": one.image.index,
            "part": one.image.part,
        }
    return about


def entry_of(about: Mapping[str, Any]) -> Entry:
    """Return a case of an index from what is kept of it."""
    image: Mapping[str, Any] | None = about.get("image")
    ref = None
    if image is not None:
        paths: Sequence[str] = image["paths"]
        ref = Ref(tuple(map(Path, paths)), image["member"], image["index"], image["part"])
    return Entry(
        about["case"],
        about["target"],
        ref,
        tuple(about["marks"]),
        about.get("patient"),
        dict(about.get("covariates", {})),
        about.get("modality"),
    )


def _read(path: Path) -> Index:
    opened = open_sealed(path, INDEX)
    with damage_named(path, INDEX):
        head = opened.head
        old = head["version"] < 3
        vectors, entries = _old(opened) if old else _parts(opened)
        if vectors.ndim != 2 or len(vectors) != len(entries):
            raise ValueError(f"{counted(len(entries), 'case')} and vectors of shape {vectors.shape}")
        if not np.isfinite(vectors).all():
            raise ValueError("vectors that are not finite")
        return Index(
            head["bundle"],
            head["data_hash"],
            head["made_of"],
            vectors,
            entries,
            dict(head["measured"]),
            head.get("of", "images"),
            head.get("centred", True),
            head.get("tiles", "middle"),
            head.get("target", ""),
            tuple((str(data), int(cases)) for data, cases in head.get("added", ())),
            dict(head.get("search", {})),
            opened.place(GRAPH).read_bytes() if GRAPH in opened.files else None,
            told=not old,
        )


def _parts(opened: Sealed) -> tuple[Array, tuple[Entry, ...]]:
    """Return all vectors `(N, F)` and cases of an index that is kept in parts."""
    numbers = [int(n) for n in opened.head["cases"]]
    vectors = np.empty((sum(numbers), int(opened.head["features"])), np.float32)
    entries: list[Entry] = []
    for k, number in enumerate(numbers):
        vectors[len(entries) : len(entries) + number] = opened.arrays(f"vectors-{k:05d}.safetensors")[
            "vectors"
        ]
        lines = opened.place(f"cases-{k:05d}.jsonl").read_text(encoding="utf-8").splitlines()
        if len(lines) != number:
            raise ValueError(f"{counted(len(lines), 'case')} of {number} in part {k}")
        entries += [entry_of(json.loads(line)) for line in lines]
    return vectors, tuple(entries)


def _old(opened: Sealed) -> tuple[Array, tuple[Entry, ...]]:
    return opened.arrays(_OLD)["vectors"], tuple(entry_of(one) for one in opened.head["cases"])


def _put(source: Path, target: Path) -> None:
    """Put a file in the place of another, without copying it where the file system has links."""
    temporary = target.with_name(f".{secrets.token_hex(4)}.tmp.{target.name}")
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copy2(source, temporary)
    temporary.replace(target)


def _forget(made: Path) -> None:
    """Remove what lies in `next`, its manifest first, so that nothing half removed is taken for an index."""
    (made / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(made, ignore_errors=True)


def assert_told(index: Index) -> None:
    """Raise DataError where an index was made before what is known of cases was kept in it."""
    if not index.told:
        raise DataError(
            "this index keeps nothing by which cases are chosen",
            found="one of an earlier Vesalius",
            hint="vesalius index BUNDLE DATA -o INDEX makes it anew",
        )
