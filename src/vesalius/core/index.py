"""Index: vectors of cases by which the nearest of them are found, in a sealed folder of its own (see `core/sealed.py`).

FOLDER/
  index.json           which bundle's vectors they are, of which data, and of each case its target, image and patient
  vectors.safetensors  `vectors` (N, F) float32, in the order of the cases
  MANIFEST.sha256

It names patients' files, so that it lies beside a bundle and never in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vesalius.core.case import Ref
from vesalius.core.disk import output_errors
from vesalius.core.errors import BundleError
from vesalius.core.image import Array
from vesalius.core.sealed import Kind, damage_named, open_sealed, write_sealed
from vesalius.core.words import counted

INDEX = Kind(
    "index", 2, source="`vesalius index`, or the folder `neighbours` of a run that `vesalius fit` wrote"
)
_VECTORS = "vectors.safetensors"


@dataclass(frozen=True)
class Entry:
    """One case of an index. `target` is its target in words, empty where it has none.

    `image` is where its reference image lies, None where it is no file; by its `marks` the same pixels are known again.
    `patient` is whose it is, None where nobody said.
    """

    case: str
    target: str = ""
    image: Ref | None = None
    marks: tuple[str, ...] = ()
    patient: str | None = None


@dataclass(frozen=True, eq=False)
class Index:
    """Cases with a vector each, `vectors` `(N, F)` float32 in the order of `entries`.

    `bundle` is the hash of the bundle whose features they are: those of another one mean something else. `made_of` says
    in words what the vectors are, `measured` what was measured of how much near cases have in common. `of` says whether
    vectors are of the cases' images or of their reports. Where they are `centred` their angles are taken about their
    mean, as features all point much the same way; vectors that words are compared with are taken as they are.
    """

    bundle: str
    data_hash: str
    made_of: str
    vectors: Array
    entries: tuple[Entry, ...]
    measured: Mapping[str, Any] = field(default_factory=dict)
    of: Literal["images", "reports"] = "images"
    centred: bool = True

    @cached_property
    def directions(self) -> Array:
        """The vectors about `mean`, each of length 1, `(N, F)` float64; one that is the mean itself stays zero."""
        return unit(self.vectors - self.mean)

    @cached_property
    def mean(self) -> Array:
        """The mean of the vectors, `(F,)` float64; zero where they are not centred."""
        if not self.centred:
            return np.zeros(self.vectors.shape[1])
        found: Array = np.asarray(self.vectors, np.float64).mean(axis=0)
        return found

    def distances(self, vector: Array) -> Array:
        """Return the cosine distance of each case from a vector `(F,)`, `(N,)`: 0 one direction, 2 the opposite."""
        direction = unit((np.asarray(vector, np.float64) - self.mean)[None])[0]
        found: Array = np.clip(1 - self.directions @ direction, 0.0, 2.0)
        return found

    def nearest(self, vector: Array, count: int = 5) -> list[tuple[Entry, float]]:
        """Return the `count` nearest cases with their distances, the nearest first; of equals the earlier one first."""
        far = self.distances(vector)
        return [(self.entries[k], float(far[k])) for k in np.argsort(far, kind="stable")[:count]]


def unit(vectors: Array) -> Array:
    """Return vectors `(N, F)` at length 1, float64; one of no length stays zero."""
    held = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(held, axis=1, keepdims=True)
    found: Array = np.divide(held, lengths, out=np.zeros_like(held), where=lengths > 1e-12)
    return found


def save_index(index: Index, path: Path | str) -> None:
    """Write an index into a folder, in place of an earlier one. A crash leaves none. Raises OutputError."""
    from safetensors.numpy import save

    path = Path(path)
    head = {
        "bundle": index.bundle,
        "data_hash": index.data_hash,
        "made_of": index.made_of,
        "measured": dict(index.measured),
        "of": index.of,
        "centred": index.centred,
        "cases": [_entry(one) for one in index.entries],
    }
    with output_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        data = save({"vectors": np.ascontiguousarray(index.vectors, np.float32)})
        write_sealed(path, INDEX, head, {_VECTORS: data})


def open_index(path: Path | str, *, bundle: str | None = None) -> Index:
    """Check every byte of an index, then read it. `bundle` is the hash of the bundle that it must belong to.

    Raises BundleError where there is none, it was changed, or it is of another bundle.
    """
    path = Path(path)
    opened = open_sealed(path, INDEX)
    with damage_named(path, INDEX):
        head = opened.head
        vectors, entries = opened.arrays(_VECTORS)["vectors"], tuple(_parsed(one) for one in head["cases"])
        if vectors.ndim != 2 or len(vectors) != len(entries):
            raise ValueError(f"{counted(len(entries), 'case')} and vectors of shape {vectors.shape}")
        found = Index(
            head["bundle"],
            head["data_hash"],
            head["made_of"],
            vectors,
            entries,
            dict(head["measured"]),
            head.get("of", "images"),
            head.get("centred", True),
        )
    if bundle is not None and found.bundle != bundle:
        raise BundleError(
            f"the index in {path} is of another bundle, whose features mean something else",
            found=f"one of bundle {found.bundle[:12]}, for bundle {bundle[:12]}",
            hint="fit --resume on the run, which makes it anew",
        )
    return found


def _entry(one: Entry) -> dict[str, Any]:
    about: dict[str, Any] = {"case": one.case, "target": one.target, "marks": list(one.marks)}
    if one.patient is not None:
        about["patient"] = one.patient
    if one.image is not None:
        about["image"] = {
            "paths": [str(p) for p in one.image.paths],
            "member": one.image.member,
            "index": one.image.index,
            "part": one.image.part,
        }
    return about


def _parsed(about: Mapping[str, Any]) -> Entry:
    image: Mapping[str, Any] | None = about.get("image")
    ref = None
    if image is not None:
        paths: Sequence[str] = image["paths"]
        ref = Ref(tuple(map(Path, paths)), image["member"], image["index"], image["part"])
    return Entry(about["case"], about["target"], ref, tuple(about["marks"]), about.get("patient"))
