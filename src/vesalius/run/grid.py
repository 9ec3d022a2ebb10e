"""A grid: many pieces of work that can be killed at any moment, and go on where they were when they are begun again.

Each cell has a folder of its own. What it gave is written there when it is finished, as `result.json`; a cell that has
one is not done again. A cell that failed says why in `failed.json`, and is tried again the next time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vesalius.core.disk import held, output_errors, write_text
from vesalius.core.errors import DataError, Interrupted, LimitReached, OutputError, VesaliusError
from vesalius.core.progress import Progress

ASKED, RESULT, FAILED, CELLS = "grid.json", "result.json", "failed.json", "cells"

Work = Callable[[Path, Mapping[str, Mapping[str, Any]]], Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Cell:
    """One piece of work, in a folder of its own that its name names.

    `work` is given that folder and the results of the cells that it `needs`, by name; what it returns is kept as JSON.
    It may find there what it left when it was killed. `asked` is what decides its result beside what the whole grid was
    asked for, `foreseen_s` how long it will take. `tidy` is called once the result is kept.
    """

    name: str
    work: Work
    asked: Mapping[str, Any] = field(default_factory=dict)
    foreseen_s: float = 0.0
    needs: tuple[str, ...] = ()
    tidy: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Filled:
    """What the cells of a grid gave: results by name, and why others have none."""

    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


def opened(folder: Path, asked: Mapping[str, Any], *, hint: str = "another -o") -> Path:
    """Return the folder of a grid, made where it is not there. `asked` is all that decides what its cells give.

    Raises OutputError where the folder holds something else, or a grid for which something else was asked.
    """
    plain: dict[str, Any] = json.loads(json.dumps(asked))
    file = folder / ASKED
    if not file.is_file():
        with output_errors(folder):
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise OutputError(f"{folder} exists and holds no grid; nothing is overwritten", hint=hint)
            folder.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(plain, indent=1) + "\n")
        return folder
    _assert_same(folder, _read(file), plain)
    return folder


def left_s(folder: Path, cells: Sequence[Cell]) -> float:
    """Return how long the cells that have no result yet will take, in seconds."""
    return sum(cell.foreseen_s for cell in cells if not _file(folder, cell, RESULT).is_file())


def carry_out(
    folder: Path,
    cells: Sequence[Cell],
    *,
    name: str,
    progress: Progress,
    go_on: str = "the same command again",
    ends: float | None = None,
) -> Filled:
    """Do what is not done yet, one cell after the other, and return what all of them gave.

    A cell that raises one of our errors fails alone, and with it those that need it. `go_on` is how a person goes on
    after an interruption, `ends` a `time.monotonic()` after which no cell is begun. Raises Interrupted after Ctrl-C,
    LimitReached where cells are left at `ends`, OutputError where another process is at work in the folder.
    """
    results: dict[str, Mapping[str, Any]] = {}
    failed: dict[str, str] = {}
    with held(folder):
        progress.start(name, len(cells))
        for number, cell in enumerate(cells):
            if ends is not None and time.monotonic() > ends and not _file(folder, cell, RESULT).is_file():
                raise LimitReached(
                    f"the time limit was reached at {number} of {len(cells)} {name}; what is finished is kept",
                    limit="time",
                    hint=f"{go_on} goes on",
                )
            try:
                results[cell.name] = _of(folder, cell, results, failed)
                text = ""
            except (KeyboardInterrupt, Interrupted) as error:
                raise Interrupted("interrupted; what is finished is kept", hint=f"{go_on} goes on") from error
            except VesaliusError as error:
                failed[cell.name] = str(error)
                text = f"{cell.name} failed: {error}"
                write_text(_file(folder, cell, FAILED), json.dumps({"reason": str(error)}) + "\n")
                progress.note(text)
            progress.advance(name, text=cell.name)
        progress.finish(name)
    return Filled(results, failed)


def _of(
    folder: Path, cell: Cell, results: Mapping[str, Mapping[str, Any]], failed: Mapping[str, str]
) -> Mapping[str, Any]:
    """Return the result of a cell: that which is there, or a new one."""
    file = _file(folder, cell, RESULT)
    asked = json.loads(json.dumps(cell.asked))
    if file.is_file():
        found = _read(file)
        _assert_same(file.parent, found["asked"], asked)
        return found
    for need in cell.needs:
        if need not in results:
            raise DataError(f"it needs {need}, which failed", found=failed.get(need))
    with output_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    given = dict(cell.work(file.parent, {n: results[n] for n in cell.needs}))
    kept = {**given, "asked": asked, "cell_s": round(time.monotonic() - began, 1)}
    write_text(file, json.dumps(kept, indent=1) + "\n")
    _file(folder, cell, FAILED).unlink(missing_ok=True)
    if cell.tidy is not None:
        cell.tidy(file.parent)
    return _read(file)


def _assert_same(place: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise OutputError where something else was asked for what lies in a folder."""
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            raise OutputError(
                f"{place} was made for another {name.replace('_', ' ')}",
                found=f"{_short(before.get(name))} there, {_short(now.get(name))} now",
                hint="the same again, or another -o",
            )


def _file(folder: Path, cell: Cell, name: str) -> Path:
    return folder / CELLS / cell.name / name


def _read(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"{file} is damaged", hint="delete it, so that it is made again") from error
    return found


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "…"
