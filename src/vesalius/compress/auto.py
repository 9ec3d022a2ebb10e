"""Which ways are tried and when it is enough: in order of cost, then combinations, until the target is reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.compress import gate, trial, ways
from vesalius.compress.gate import Drop, Verdict, parse_drop
from vesalius.compress.measure import Cost
from vesalius.compress.trial import BUNDLE, JOIN, ORIGINAL, Bench
from vesalius.core.errors import DataError, PlanError, UnknownName
from vesalius.core.progress import Silent
from vesalius.core.registry import names as registered
from vesalius.run.grid import CELLS, Cell, carry_out

FASTER, SMALLER = (
    1.05,
    0.9,
)  # what counts as a gain: so many times the throughput, or so much of the weights' size
GO_ON = "the same command with --resume"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked for: `names` of ways in the order in which they are tried, empty for auto.

    `target` is how many times the throughput, `most` the largest drop that is borne.
    """

    names: tuple[str, ...] = ()
    target: float = 2.0
    most: float = 0.005


@dataclass(frozen=True, eq=False)
class Tried:
    """One trial: what it was called, what came of it, and whether it may be used.

    `result` is empty where it could not be tried, and `failed` says why.
    """

    name: str
    result: Mapping[str, Any]
    verdict: Verdict
    failed: str = ""

    @property
    def cost(self) -> Cost | None:
        """What it costs; None where it could not be tried."""
        return trial.cost_of(self.result) if self.result else None

    @property
    def drop(self) -> Drop | None:
        """Its drop; None where it could not be tried."""
        return parse_drop(self.result["drop"]) if self.result else None


@dataclass(frozen=True, eq=False)
class Found:
    """What came of all trials: the original's result, the trials in their order, and the name of the chosen one."""

    original: Mapping[str, Any]
    tried: tuple[Tried, ...]
    chosen: str = ""

    def named(self, name: str) -> Tried:
        """Return the trial of that name."""
        return next(one for one in self.tried if one.name == name)


def names_of(text: str) -> tuple[str, ...]:
    """Return the ways that are named between commas; none for `auto`. Raises UnknownName for one that is none."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if found in ((), ("auto",)):
        return ()
    for one in found:
        parts = one.split(JOIN)
        for part in parts:
            if part not in registered(ways.KIND):
                raise UnknownName("compressor", part, registered(ways.KIND))
        odd = [part for part in parts[:-1] if not ways.get(part).combines]
        if odd:
            raise PlanError(
                f"nothing can be done after {odd[0]}, whose members are no torch models any more",
                found=one,
                hint=JOIN.join([*(p for p in parts if p not in odd), odd[0]]),
            )
    return tuple(dict.fromkeys(found))


def search(bench: Bench, folder: Path, wanted: Wanted) -> Found:
    """Try ways until the target is reached, or there is none left. What was tried before in `folder` is not again.

    Raises Interrupted after Ctrl-C; DataError where the original cannot be measured.
    """
    original = _carried(folder, Cell(ORIGINAL, lambda at, _: trial.baseline(bench)), bench)
    if isinstance(original, str):
        raise DataError("the original could not be measured", found=original)
    tried: list[Tried] = []
    for name in _each(wanted, tried):
        tried.append(_tried(bench, folder, name, wanted))
        note = tried[-1]
        bench.progress.note(f"{name}: {note.failed or _said(note)}")
        if not wanted.names and _reached(note, wanted):
            break
    return Found(original, tuple(tried), _chosen(original, tried))


def _each(wanted: Wanted, tried: Sequence[Tried]) -> Iterator[str]:
    """Yield the names of trials; after a way that others can go on from, that with the best of the others."""
    if wanted.names:
        seen: set[str] = set()
        for name in wanted.names:
            parts = name.split(JOIN)
            for k in range(1, len(parts) + 1):  # what a combination stands on is tried, too
                part = JOIN.join(parts[:k])
                if part not in seen:
                    seen.add(part)
                    yield part
        return
    for name in ways.in_order():
        yield name
        last = tried[-1] if tried else None
        if last is not None and last.name == name and last.verdict.passed and ways.get(name).combines:
            then = _best_last(tried)
            if then:
                yield f"{name}{JOIN}{then}"


def _best_last(tried: Sequence[Tried]) -> str:
    """Return the fastest of the ways that nothing can follow; of those that passed the gate where any did."""
    found = [
        (one.verdict.passed, one.cost.ratio, one.name)
        for one in tried
        if one.cost is not None and JOIN not in one.name and not ways.get(one.name).combines
    ]
    return max(found)[2] if found else ""


def _tried(bench: Bench, folder: Path, name: str, wanted: Wanted) -> Tried:
    parts = tuple(name.split(JOIN))
    before = JOIN.join(parts[:-1])
    base = folder / CELLS / before / BUNDLE if before else None
    if base is not None and not base.is_dir():
        why = f"{before}, which it goes on from, could not be made"
        return Tried(name, {}, Verdict(False, why), why)
    cell = Cell(name, lambda at, _: trial.tried(bench, parts, at, base), asked={"ways": list(parts)})
    result = _carried(folder, cell, bench)
    if isinstance(result, str):
        return Tried(name, {}, Verdict(False, result), result)
    return Tried(name, result, gate.judged(parse_drop(result["drop"]), wanted.most))


def _carried(folder: Path, cell: Cell, bench: Bench) -> Mapping[str, Any] | str:
    """Return what a cell gave, or why it gave nothing."""
    filled = carry_out(folder, (cell,), name="compress", progress=Silent(), go_on=GO_ON)
    return filled.results[cell.name] if cell.name in filled.results else filled.failed[cell.name]


def _reached(one: Tried, wanted: Wanted) -> bool:
    return one.verdict.passed and one.cost is not None and one.cost.ratio >= wanted.target


def _chosen(original: Mapping[str, Any], tried: Sequence[Tried]) -> str:
    """Return the fastest of those that passed and gained anything; of none, nothing."""
    first = trial.cost_of(original)
    gained = [
        (one.cost.ratio, one.name)
        for one in tried
        if one.verdict.passed and one.cost is not None and gains(first, one.cost)
    ]
    return max(gained)[1] if gained else ""


def gains(original: Cost, other: Cost) -> bool:
    """Return whether a model is faster than the original, or smaller and hardly slower."""
    smaller = other.weights_bytes <= SMALLER * original.weights_bytes
    same = other.runtime == original.runtime and None not in (other.macs, original.macs)
    less = same and (other.macs or 0) <= (original.macs or 0)  # a slower turn is then the machine's
    return other.ratio >= FASTER or (smaller and (less or other.ratio >= 1 / FASTER))


def _said(one: Tried) -> str:
    cost = one.cost
    speed = "" if cost is None else f"{cost.ratio:.2f} times the throughput; "
    return speed + one.verdict.why
