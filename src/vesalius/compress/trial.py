"""Trying a way: what it made is written as a bundle, calibrated, held against the original and measured."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vesalius.compress import gate, held_out, measure, ways, writing
from vesalius.compress.contract import Model, Source, Variant
from vesalius.compress.measure import Cost, Probe
from vesalius.compress.opened import Opened, source_of
from vesalius.core.bundle import Bundle, open_bundle
from vesalius.core.errors import BudgetError, PlanError
from vesalius.core.progress import Progress
from vesalius.metrics import Rows

BUNDLE, WORK = "bundle", "work"
CPU = "cpu"  # where all that is judged and measured answers: graphs do so nowhere else
ORIGINAL = "original"
JOIN = "+"  # between the ways of a combination, in the name of a trial


@dataclass(eq=False)
class Bench:
    """What all trials of one bundle stand on, each part made when it is first needed and kept for the others.

    `folder` is for prepared cases that do not fit into memory. `device` is where ways that train do so. `until` is a
    `time.monotonic()`.
    """

    opened: Opened
    folder: Path
    progress: Progress
    device: str | None = None
    until: float | None = None
    _kept: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def source(self) -> Source:
        """What the ways are given."""
        found = source_of(self.opened, self.folder, until=self.until, progress=self.progress)
        return replace(found, device=self.device)

    @cached_property
    def original(self) -> tuple[held_out.Said, Rows]:
        """What the original's members say of the cases that they never saw, raw and as rows."""
        bundle = self.opened.bundle
        said = held_out.said_by(self.opened, bundle, self.source.examples, device=CPU, progress=self.progress)
        rows = held_out.rows_of(self.opened, bundle, said, device=CPU, progress=self.progress)
        return said, rows

    @cached_property
    def probe(self) -> Probe:
        """By what costs are measured: cases that were learned from, for no figure follows from what is answered."""
        examples = list(self.source.examples.values())
        return Probe(examples, self.opened.held_out)

    def assert_time(self) -> None:
        """Raise BudgetError where the verb's time is over."""
        if self.until is not None and time.monotonic() > self.until:
            raise BudgetError(
                "the time limit left no time to try it", hint="a longer --time-limit, with --resume"
            )


def baseline(bench: Bench) -> dict[str, Any]:
    """Return what the original costs and how good it is out of fold, as plain data."""
    opened = bench.opened
    cost = measure.beside(opened.bundle, None, bench.probe, device=CPU, progress=bench.progress)
    _, rows = bench.original
    return {"cost": cost.json(), "figure": _figure(bench, opened.bundle, rows)}


def tried(bench: Bench, names: tuple[str, ...], folder: Path, base: Path | None) -> dict[str, Any]:
    """Return what came of a way, the last of `names`, as plain data; its bundle lies in `folder` afterwards.

    `base` is the bundle that the ways before it made. Raises PlanError where the way does not suit the model, and
    whatever the way raises.
    """
    bench.assert_time()
    source = bench.source
    for name in names[:-1]:
        source = source.after(Variant(name, _made(base), ()))
    way = ways.get(names[-1])
    why = way.suits(source)
    if why:
        raise PlanError(f"{way.name} does not suit this model", found=why)
    began = time.monotonic()
    work = folder / WORK
    work.mkdir(parents=True, exist_ok=True)
    variant = way.apply(source, to=work, progress=bench.progress)
    bundle = writing.written(bench.opened, variant, folder / BUNDLE, {})
    said = held_out.said_by(bench.opened, bundle, source.examples, device=CPU, progress=bench.progress)
    fitted = held_out.calibration_of(bench.opened, bundle, said)
    bundle = writing.with_calibration(bench.opened, bundle, fitted)
    _, first = bench.original
    second = held_out.rows_of(bench.opened, bundle, said, device=CPU, progress=bench.progress)
    drop = _drop(bench.opened, first, second)
    cost = measure.beside(bench.opened.bundle, bundle, bench.probe, device=CPU, progress=bench.progress)
    shutil.rmtree(work, ignore_errors=True)
    return {
        "drop": drop.json(),
        "cost": cost.json(),
        "figure": _figure(bench, bundle, second),
        "changed": list(variant.changed),
        "figures": dict(variant.figures),
        "runtime": variant.model.runtime,
        "took_s": round(time.monotonic() - began, 1),
    }


def bundle_of(folder: Path) -> Bundle:
    """Return the bundle that a trial left in its folder. Raises BundleError."""
    return open_bundle(folder / BUNDLE)


def said_again(bench: Bench, bundle: Bundle) -> held_out.Said:
    """Return what the members of a bundle say, raw, of the cases that they never saw."""
    examples = bench.source.examples
    return held_out.said_by(bench.opened, bundle, examples, device=CPU, progress=bench.progress)


def _made(base: Path | None) -> Model:
    if base is None:
        raise PlanError("a way of a combination needs what the one before it made")
    return writing.model_of(open_bundle(base))


def _drop(opened: Opened, first: Rows, second: Rows) -> gate.Drop:
    """Return the drop on the cases that both answered; a case that only one of them answers is a failure of it."""
    both = set(first.case_ids) & set(second.case_ids)
    lost = set(first.case_ids) - both
    if lost:
        raise PlanError(
            "the compressed model does not answer what the original answers",
            found=f"{len(lost)} of {len(first.case_ids)} cases, such as {min(lost)}",
        )
    second = held_out.only(second, both)
    figure = opened.space.task.primary
    return gate.measured(opened.answer, figure, first, second, patients=opened.patients)


def _figure(bench: Bench, bundle: Bundle, rows: Rows) -> dict[str, Any]:
    """Return the figure that the gate goes by, with its own interval, as plain data."""
    card = held_out.card_of(bench.opened, bundle, rows)
    name = bench.opened.space.task.primary
    found = card.metrics.get(name)
    return {"name": name, **({} if found is None else asdict(found))}


def cost_of(result: Mapping[str, Any]) -> Cost:
    """Return the cost of a trial from its plain data."""
    return measure.parse_cost(result["cost"])
