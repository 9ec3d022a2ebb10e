"""Choosing what computes raw outputs: as it is told, or as measuring on this machine says, where measuring pays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius.core.bundle import Bundle
from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.plan import Plan
from vesalius.core.registry import names
from vesalius.infer import beside, runtimes
from vesalius.infer.compiling import (
    Piece,
    Tried,
    from_files,
    members_of,
    pieces_of,
    stand,
    tried,
    tried_off,
    tried_torch,
)
from vesalius.infer.graphs import Graph
from vesalius.infer.loading import Loaded
from vesalius.infer.measured import Kept, Measured
from vesalius.infer.predictor import Predictor
from vesalius.infer.tiles import starts
from vesalius.plan import torch_threads

AUTO = "auto"
MEASURED_S = 30.0  # of torch's work ahead, from which on making graphs and measuring pays
KNOWN_S = 3.0  # the same where it was measured before, so that a graph has to be opened alone
SERVICE = 150  # cases that a service is taken to have ahead
_SLOWEST = 5e9  # multiply-adds a second that any processor of these years does
_MAKE = ("onnx", "onnxscript")


@dataclass(frozen=True)
class Choice:
    """What answers: the name of a runtime, and why, in words; `told` where somebody who waits should know."""

    runtime: str
    why: str
    told: bool = False


def choose(
    predictor: Predictor, wanted: str | None = None, *, cases: int | None = None, root: Path | None = None
) -> Choice:
    """Let graphs stand beside the members of a predictor where they are told to, or where that is the fastest.

    `wanted` is `auto`, by default, or a runtime's name; `cases` is how many are ahead, None where nobody knows. What is
    measured is kept under `root`, by default in the user's cache folder. A runtime whose raw outputs about made-up
    input differ from torch's by more than `compiling.TOLERANCE` is refused, and by `auto` one that is not faster.
    Raises UnknownName, MissingExtra, and PlanError for a runtime that is named and refused.
    """
    if wanted not in (None, AUTO) and wanted not in names(runtimes.KIND):
        raise UnknownName("runtime", str(wanted), [AUTO, *names(runtimes.KIND)])
    given = _given(predictor, wanted, root)
    if given is not None:
        return given
    kept = Kept(predictor.bundle, _threads(predictor), root=root)
    if wanted not in (None, AUTO):
        return _named(predictor, str(wanted), kept)
    return _auto(predictor, kept, cases)


def _given(predictor: Predictor, wanted: str | None, root: Path | None) -> Choice | None:
    """Return the choice that nothing has to be measured for; None where there is none."""
    own = {loaded.stage.runtime for loaded in predictor.stages} - {runtimes.TORCH}
    compiled = [beside.of(m) for loaded in predictor.stages for m in loaded.models]
    if any(one is not None for one in compiled):
        (used, *_) = {one.runtime for one in compiled if one is not None}
        name = next(n for n in names(runtimes.KIND) if runtimes.get(n) is used)
        kept = Kept(predictor.bundle, _threads(predictor), root=root)
        for one in compiled:
            if one is not None:
                one.cache = kept.compiled
        return Choice(name, "the bundle's members are graphs")
    if predictor.device.type != "cpu":
        if wanted not in (None, AUTO, runtimes.TORCH):
            raise PlanError(
                f"runtime {wanted} computes on the processor alone",
                found=f"the device {predictor.device}",
                hint="--device cpu, or --runtime torch",
            )
        return Choice(runtimes.TORCH, "a graphics card computes")
    if wanted == runtimes.TORCH or own:
        return Choice(runtimes.TORCH, "it was asked for")
    return None


def _named(predictor: Predictor, name: str, kept: Kept) -> Choice:
    """Let the runtime of that name answer. Raises PlanError where it is refused."""
    runtime = runtimes.get(name)
    _ = runtime.version
    found, pieces = kept.read(), members_of(predictor)
    if found is None or name not in {*found.seconds, *found.refused}:
        pieces = pieces_of(predictor)
        found = _measure(pieces, kept, also=name)
    if name in found.refused:
        raise PlanError(
            f"runtime {name} is refused for this bundle", found=found.refused[name], hint="--runtime torch"
        )
    _stand(name, pieces, kept)
    times = found.seconds[runtimes.TORCH] / found.seconds[name]
    slower = times < 1
    how = f"{1 / times:.1f} times as long as torch" if slower else f"{times:.1f} times as fast as torch"
    return Choice(name, f"it was asked for; it was {how} here", told=slower)


def _auto(predictor: Predictor, kept: Kept, cases: int | None) -> Choice:
    there = [n for n in names(runtimes.KIND) if runtimes.get(n).graphs and runtimes.get(n).there]
    if not there or not _can_make():
        return Choice(runtimes.TORCH, "no other runtime is installed")
    if cases is None:
        return Choice(runtimes.TORCH, "how much there is to answer is not known")
    found = kept.read()
    least = KNOWN_S if found is not None else MEASURED_S
    if cases * sum(_work(predictor.bundle, s) for s in predictor.stages) / _SLOWEST < least:
        return Choice(runtimes.TORCH, f"the work ahead is less than {least:g} s")
    try:
        pieces = pieces_of(predictor) if found is None else members_of(predictor)
    except PlanError as error:
        return Choice(runtimes.TORCH, str(error))
    rows = _rows(pieces) if found is None else found.rows
    pass_s = tried_torch(pieces).seconds if found is None else found.seconds[runtimes.TORCH]
    ahead = cases * pass_s * max(_passes(predictor.bundle, s, rows) for s in predictor.stages)
    if ahead < least:
        return Choice(
            runtimes.TORCH, f"the work ahead takes torch about {ahead:.2g} s, less than {least:g} s"
        )
    found = found or _measure(pieces, kept)
    if found.best == runtimes.TORCH:
        refused = "; ".join(f"{name}: {why}" for name, why in found.refused.items())
        return Choice(runtimes.TORCH, f"nothing is faster here{f' ({refused})' if refused else ''}")
    _stand(found.best, pieces, kept)
    times = found.seconds[runtimes.TORCH] / found.seconds[found.best]
    return Choice(found.best, f"it was {times:.1f} times as fast as torch here", told=True)


def _measure(pieces: Sequence[Piece], kept: Kept, *, also: str = "") -> Measured:
    """Return how each runtime does that is installed, and keep it; members that cannot be graphs refuse them all."""
    wanted = [n for n in names(runtimes.KIND) if runtimes.get(n).graphs and runtimes.get(n).there]
    alone = tried_torch(pieces)
    try:
        graphs = {piece.name: piece.graph() for piece in pieces}
    except PlanError as error:
        return Measured(
            {runtimes.TORCH: alone.seconds}, {name: str(error) for name in {*wanted, also} - {""}}
        )
    sources: dict[str, Callable[[], Graph]] = {name: (lambda g=graph: g) for name, graph in graphs.items()}  # type: ignore[misc]
    seen: dict[str, Tried] = {}
    for name in wanted:
        seen[name] = tried(name, pieces, sources, None)
        tried_off(pieces)
    found = Measured(
        {runtimes.TORCH: alone.seconds, **{n: t.seconds for n, t in seen.items() if not t.refused}},
        {n: t.refused for n, t in seen.items() if t.refused},
        rows=_rows(pieces),
    )
    kept.write(found, {name: graph.to_bytes() for name, graph in graphs.items()})
    return found


def _stand(name: str, pieces: Sequence[Piece], kept: Kept) -> None:
    """Let the graphs that are kept stand beside the members; where they could not be kept, they are made again."""
    if all((kept.folder / piece.name).is_file() for piece in pieces):
        stand(name, pieces, from_files(kept.folder, pieces), kept.compiled)
        return
    graphs = {piece.name: piece.graph() for piece in pieces}
    stand(name, pieces, {n: (lambda g=graph: g) for n, graph in graphs.items()}, None)  # type: ignore[misc]


def _rows(pieces: Sequence[Piece]) -> int:
    return max(piece.batch.rows for piece in pieces)


def _threads(predictor: Predictor) -> int:
    return torch_threads.in_use() if predictor.threads is None else predictor.threads.most


def _can_make() -> bool:
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in _MAKE)


def _tiles(bundle: Bundle, plan: Plan) -> int:
    """Return how many tiles a case has that is as large as the training cases were; 1 of one that is seen whole."""
    learned, data = bundle.learned, plan.data
    if data.sampling == "whole" or learned is None:
        return 1
    shape = [math.sqrt(low * high) for low, high in learned.size]  # (z, y, x)
    if data.spacing_mm is not None and learned.spacing_mm is not None:
        own = [math.sqrt(low * high) for low, high in learned.spacing_mm]  # (x, y, z)
        shape = [n * own[2 - k] / data.spacing_mm[2 - k] for k, n in enumerate(shape)]
    each = (len(starts(round(n), t, plan.infer.overlap)) for n, t in zip(shape, data.size, strict=True))
    return int(math.prod(each))


def _passes(bundle: Bundle, loaded: Loaded, rows: int) -> int:
    """Return how many passes of so many rows a case takes: its tiles, and their mirror images."""
    plan = loaded.stage.plan
    return int(math.ceil(_tiles(bundle, plan) / max(rows, 1)) * 2 ** len(plan.infer.mirror))


def _work(bundle: Bundle, loaded: Loaded) -> float:
    """Return more multiply-adds than one case takes: each weight at each point of each tile."""
    plan = loaded.stage.plan
    weights = sum(p.numel() for model in loaded.models for p in model.parameters())
    views = 2 ** len(plan.infer.mirror)
    return float(weights * math.prod(plan.data.size) * _tiles(bundle, plan) * views)
