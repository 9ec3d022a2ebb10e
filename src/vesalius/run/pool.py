"""What a bundle says of each case of an unlabelled pool: how unsure its answer is, what it finds, and its features."""

from __future__ import annotations

import base64
import copy
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius.answers import contract
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array
from vesalius.core.index import unit
from vesalius.core.progress import Progress
from vesalius.core.promise import PROMISE
from vesalius.infer.guard import ACCEPTED
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import with_reference
from vesalius.run.ledger import Ledger
from vesalius.run.strategies.contract import Pool
from vesalius.run.vectors import Vectors
from vesalius.tasks import contract as tasks


@dataclass(frozen=True, eq=False)
class Seen:
    """What a bundle says of one case of a pool.

    `unsure` is how unsure its answer is by each measure of its kind, None where it does not say. `found` is the share
    of the image in which something is found, None of a kind without places, and `plane` the place along z, from 0,
    where most of it lies, of a volume. `outside` is why the case is unlike what was learned from, by the guard.
    `vector` `(F,)` are its features, None where the model has none.
    """

    case: str
    unsure: Mapping[str, float | None]
    found: float | None = None
    plane: int | None = None
    outside: tuple[str, ...] = ()
    vector: Array | None = None


def asked_of(
    bundle: Bundle, *, device: str | None = None, accept_mismatch: bool = False, middle: bool = False
) -> Vectors:
    """Return a bundle that is asked about a pool, by answers that say how likely each label is at each point.

    What such a bundle promises of its masks is left out: it takes these chances away, and orders no pool. `middle` is
    as `Vectors` has it.
    """
    return asking(Predictor(bundle, device=device, accept_mismatch=accept_mismatch), middle=middle)


def asking(predictor: Predictor, *, middle: bool = False) -> Vectors:
    """Return what asks a predictor that is loaded about a pool, as `asked_of` does; the predictor stays as it is.

    What it is asked counts in no drift.
    """
    other = copy.copy(predictor)
    other.listen = None
    if contract.of(kind_of(other.bundle)).needs_levels:
        *before, last = other.bundle.stages
        kept = {k: v for k, v in last.calibration.items() if k != PROMISE}
        other.bundle = replace(other.bundle, stages=(*before, replace(last, calibration=kept)))
        other.levels = True
    return Vectors(other.bundle, middle=middle, predictor=other)


def kind_of(bundle: Bundle) -> str:
    """Return the name of the kind of answer that a bundle ends in."""
    return tasks.get(bundle.stages[-1].plan.task.name).answer.__name__


class Measuring:
    """Measures the cases of a pool one after the other; pixels of one case at a time are in memory.

    With a `ledger` each row is on disk at once, and what is there is not measured again.
    """

    def __init__(self, vectors: Vectors, ledger: Ledger | None = None) -> None:
        self.vectors, self._ledger = vectors, ledger
        self._featureless = ""

    def __call__(
        self, cases: Iterable[Case], *, progress: Progress, name: str = "measure"
    ) -> tuple[list[Seen], list[tuple[str, str]]]:
        """Return what is said of each case that can be answered, and of the others why not; in the cases' order."""
        wanted = list(cases)
        known = {} if self._ledger is None or not self._ledger.cases() else _read(self._ledger)
        found: list[Seen] = []
        failed: list[tuple[str, str]] = []
        progress.start(name, len(wanted))
        try:
            for case in wanted:
                try:
                    found.append(known.get(case.id) or self._kept(case))
                except DataError as error:
                    failed.append((case.id, str(error)))
                progress.advance(name)
        finally:
            progress.finish(name)
        return found, failed

    def _kept(self, case: Case) -> Seen:
        seen = self.measure(case)
        if self._ledger is not None:
            self._ledger.add(_row(seen))
        return seen

    def measure(self, case: Case) -> Seen:
        """Return what is said of one case. Raises what answering it raises."""
        held = with_reference(replace(case, targets={}))
        answer = self.vectors.predictor(held)
        handling = contract.of(answer)
        unsure = {by: _number(handling.unsure(answer, by)) for by in handling.unsure_by}
        found, plane = _places(handling.found(answer))
        outside = tuple(t for t in answer.outside or () if not t.startswith(ACCEPTED))
        return Seen(case.id, unsure, found, plane, outside, self._vector(held))

    def _vector(self, case: Case) -> Array | None:
        if self._featureless:
            return None
        try:
            return np.asarray(self.vectors.of_case(case), np.float32)
        except PlanError as error:  # no net on an image, of this bundle's every case
            self._featureless = str(error)
            return None


def pool_of(
    seen: Sequence[Seen], groups: Sequence[Any], labelled: Array | None, *, by: int, centred: bool = True
) -> Pool:
    """Return what a strategy chooses from: `labelled` are vectors `(M, F)` as those of the pool; `by` is the measure's
    place. Vectors are taken about their mean, unless they are compared with words, and at length 1.
    """
    numbers = {group: k for k, group in enumerate(dict.fromkeys(groups))}
    names = list(seen[0].unsure) if seen else []
    measure = names[min(by, len(names) - 1)] if names else ""
    unsure = np.array([_nan(one.unsure.get(measure)) for one in seen])
    found = np.array([_nan(one.found) for one in seen])
    vectors = _stacked([one.vector for one in seen])
    if vectors is not None and labelled is not None and labelled.shape[1:] != vectors.shape[1:]:
        labelled = None
    if vectors is not None:
        every = vectors if labelled is None else np.concatenate([vectors, labelled])
        mean = every.mean(axis=0, dtype=np.float64) if centred else np.zeros(vectors.shape[1])
        vectors = unit(vectors - mean)
        labelled = None if labelled is None else unit(labelled - mean)
    return Pool(
        unsure=unsure if np.isfinite(unsure).any() else None,
        vectors=vectors,
        found=found if np.isfinite(found).any() else None,
        groups=np.array([numbers[group] for group in groups], dtype=np.int64),
        labelled=labelled,
    )


def _stacked(vectors: Sequence[Array | None]) -> Array | None:
    held = [v for v in vectors if v is not None]
    if not held or len(held) < len(vectors) or len({v.shape for v in held}) > 1:
        return None
    return np.stack(held)


def _places(bits: Array | None) -> tuple[float | None, int | None]:
    """Return the share of an image in which something is found, and the plane along z that has most of it."""
    if bits is None:
        return None, None
    planes = np.asarray(bits, dtype=bool).sum(axis=(1, 2))
    share = float(planes.sum() / bits.size)
    return share, int(planes.argmax()) if share and len(planes) > 1 else None


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _nan(value: float | None) -> float:
    return math.nan if value is None else value


_PREFIX = "unsure_"


def _row(seen: Seen) -> dict[str, Any]:
    vector = (
        "" if seen.vector is None else base64.b64encode(np.asarray(seen.vector, "<f4").tobytes()).decode()
    )
    return {
        "case": seen.case,
        **{f"{_PREFIX}{by}": "" if v is None else repr(v) for by, v in seen.unsure.items()},
        "found": "" if seen.found is None else repr(seen.found),
        "plane": "" if seen.plane is None else seen.plane,
        "outside": json.dumps(list(seen.outside)) if seen.outside else "",
        "vector": vector,
    }


def _read(ledger: Ledger) -> dict[str, Seen]:
    def number(text: str) -> float | None:
        return float(text) if text else None

    read: dict[str, Seen] = {}
    for row in ledger.rows():
        vector = np.frombuffer(base64.b64decode(row["vector"]), "<f4") if row["vector"] else None
        unsure = {k.removeprefix(_PREFIX): number(v) for k, v in row.items() if k.startswith(_PREFIX)}
        outside = tuple(json.loads(row["outside"])) if row["outside"] else ()
        plane = int(row["plane"]) if row["plane"] else None
        read[row["case"]] = Seen(row["case"], unsure, number(row["found"]), plane, outside, vector)
    return read
