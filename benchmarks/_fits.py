"""A `vesalius fit` as a user runs it, in a process of its own; every one that scores a test split is written down."""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import _record
from benchmarks._figures import Figure, at_most
from vesalius.core.scorecard import Interval, Scorecard, load_scorecard
from vesalius.plan.budget import seconds as parsed_seconds

SHARED = _record.ROOT.parent / "shared" / "data"
KEPT = _record.ROOT / "runs" / "benchmarks"
WALL = "wall_s.txt"  # beside a kept run: how long it took, over all its parts
OVER = 1.1


class Absent(Exception):
    """What a benchmark needs is not on this machine; the message says what."""


@dataclass(frozen=True)
class Fitted:
    """A finished fit: where it lies, how long it took, what it scored."""

    run: Path
    wall_s: float
    limit_s: float
    card: Scorecard
    command: str


def shared(name: str) -> Path:
    """A data set beside the project. Raises Absent."""
    path = SHARED / name
    if not path.exists():
        raise Absent(f"../shared/data/{name} is not here")
    return path


def vesalius(*words: str) -> list[str]:
    """The command line, run by this Python."""
    return [sys.executable, "-m", "vesalius", *words]


def fit(
    data: Path, out: Path, *, limit: str, seed: int, options: Sequence[str] = (), test_split: bool
) -> Fitted:
    """Run a fit to its end. With `test_split` its figures go into the append-only table as soon as they exist."""
    words = ["fit", said(data), "--time-limit", limit, "--seed", str(seed), *(said(o) for o in options)]
    command = "vesalius " + " ".join(words)
    began = time.monotonic()
    at = _record.commit()
    arguments = ["fit", str(data), "-o", str(out), "--time-limit", limit, "--seed", str(seed), *options]
    done = subprocess.run(vesalius(*arguments), cwd=_record.ROOT, capture_output=True, text=True, check=False)
    wall = time.monotonic() - began
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}")
    if test_split:
        written_down(out, data, command, seed, wall, at=at)
    return Fitted(out, wall, parsed_seconds(limit), load_scorecard(out / "scorecard.json"), command)


def kept(
    data: Path, name: str, *, limit: str, seed: int, options: Sequence[str] = (), test_split: bool
) -> Path:
    """A finished run under `runs/benchmarks/NAME`, which later benchmarks take again; one that was begun goes on."""
    out = KEPT / name
    if (out / "scorecard.json").is_file():
        return out
    resume = ("--resume",) if (out / "run.json").is_file() else ()
    out.parent.mkdir(parents=True, exist_ok=True)
    return fit(data, out, limit=limit, seed=seed, options=(*options, *resume), test_split=test_split).run


def resumed(
    data: Path, out: Path, *, limit: str, seed: int, options: Sequence[str] = (), test_split: bool
) -> Fitted:
    """Return a fit that was finished before, or run it, going on where it was interrupted.

    A relative `out` lies under `runs/benchmarks`.
    """
    out = KEPT / out
    wall = out.with_name(f"{out.name}-{WALL}")
    if (out / "scorecard.json").is_file() and wall.is_file():
        card = load_scorecard(out / "scorecard.json")
        return Fitted(out, float(wall.read_text(encoding="utf-8")), parsed_seconds(limit), card, "")
    resume = ("--resume",) if (out / "run.json").is_file() else ()
    out.parent.mkdir(parents=True, exist_ok=True)
    done = fit(data, out, limit=limit, seed=seed, options=(*options, *resume), test_split=test_split)
    wall.write_text(f"{done.wall_s:.1f}", encoding="utf-8")
    return done


def written_down(out: Path, data: Path, command: str, seed: int, wall_s: float, *, at: str) -> None:
    """Append the figures of a run that scored a test split to the table of such runs."""
    card = load_scorecard(out / "scorecard.json")
    note = f"{card.split}, {card.n_cases} cases, {wall_s:.0f} s"
    day = f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}"
    _record.append_test_run((day, at, f"`{command}`", str(seed), data.name, brief(card), note))


def said(word: str | Path) -> str:
    """A path as the documentation writes it: relative to the repository, or to the folder of the runs."""
    told = str(word).replace(str(SHARED), "../shared/data").replace(str(_record.ROOT) + "/", "")
    return re.sub(re.escape(tempfile.gettempdir()) + r"/vesalius-[\w-]+/", "RUNS/", told)


def interval(found: Interval) -> str:
    """`value [low, high]`."""
    if found.value is None:
        return f"not defined ({found.reason})"
    if found.low is None or found.high is None:
        return f"{found.value:.4f}"
    return f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}]"


MAIN = ("auc", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "dice", "hd95", "kappa")


def brief(card: Scorecard) -> str:
    """The main figures of a scorecard in a line."""
    names = [n for n in card.metrics if n.partition("/")[0] in MAIN]
    names.sort(key=lambda n: (MAIN.index(n.partition("/")[0]), n))
    return "; ".join(f"{n} {interval(card.metrics[n])}" for n in names)


def wall(fitted: Fitted, seed: int) -> Figure:
    """How long it took, all phases included, against its limit."""
    ratio = fitted.wall_s / fitted.limit_s
    note = f"{fitted.wall_s:.0f} s of {fitted.limit_s:.0f} s"
    return at_most("wall / --time-limit", ratio, OVER, seed=str(seed), note=note)


def beside(fitted: Fitted, names: Sequence[str], seed: int) -> list[Figure]:
    """Those metrics with their intervals, and the trivial baseline's value in the note."""
    card, rows = fitted.card, []
    for name in names:
        if name in card.metrics:
            trivial = card.baseline.get(name)
            note = f"n {card.metrics[name].n}"
            if trivial is not None and trivial.value is not None:
                note += f"; {card.baseline_is} {trivial.value:.4f}"
            rows.append(Figure(name, interval(card.metrics[name]), seed=str(seed), note=note))
    return rows


def mean(fits: Sequence[Fitted], name: str) -> float:
    """A metric's mean over fits."""
    values = [f.card.metrics[name].value for f in fits]
    if any(v is None for v in values):
        raise RuntimeError(f"{name} is not defined in every run")
    return sum(v for v in values if v is not None) / len(values)
