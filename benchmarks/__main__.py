"""Run benchmarks by name, or all of them: print a table, and append what was found to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import importlib
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from benchmarks import _record
from benchmarks._figures import HEADINGS, Figure
from benchmarks._fits import Absent
from vesalius.core.errors import VesaliusError

HERE = Path(__file__).resolve().parent


def found() -> dict[str, ModuleType]:
    """Every benchmark there is: each public file beside this one."""
    names = sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith("_"))
    return {name: importlib.import_module(f"benchmarks.{name}") for name in names}


def main(words: Sequence[str] | None = None) -> int:
    """Returns 1 where a bound was not kept or a benchmark failed, 2 for an unknown name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which [all that are not soaks]")
    parser.add_argument("--soak", action="store_true", help="the soaks [all of them, where no name is given]")
    parser.add_argument("--list", action="store_true", help="name them and stop")
    parser.add_argument(
        "--quick", action="store_true", help="tiny stand-ins: try the code; nothing is recorded"
    )
    parser.add_argument("--seeds", type=_numbers, default=None, help="such as 0,1,2 [each benchmark's own]")
    parser.add_argument("--keep", type=Path, default=None, help="a folder to leave the runs in")
    given = parser.parse_args(words)
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.ERROR)
    known = found()
    if given.list:
        for name, module in known.items():
            print(f"{name:<16}{(module.__doc__ or '').splitlines()[0]}{'  (--soak)' if module.SOAK else ''}")
        return 0
    strange = [n for n in given.names if n not in known]
    if strange:
        print(f"no benchmark '{strange[0]}'; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    chosen = given.names or [n for n, m in known.items() if given.soak == m.SOAK]
    ends = [_one(n, known[n], quick=given.quick, seeds=given.seeds, keep=given.keep) for n in chosen]
    return 0 if all(ends) else 1


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _one(
    name: str, module: ModuleType, *, quick: bool, seeds: tuple[int, ...] | None, keep: Path | None
) -> bool:
    """Run one, print it and, unless it was quick, record it. Returns whether every bound held."""
    print(f"{name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix=f"vesalius-{name}-"))
    if keep is not None:
        folder.rmdir()
        folder = keep / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
        folder.mkdir(parents=True)
    busy = _record.load()
    try:
        figures = module.run(folder, seeds=seeds or module.SEEDS, quick=quick)
    except Absent as reason:
        print(f"  skipped: {reason}\n")
        return True
    except (
        RuntimeError,
        VesaliusError,
        subprocess.SubprocessError,
    ) as error:  # the others still have their turn
        print(f"  FAILED: {error}\n", flush=True)
        return False
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    _show(figures)
    if not quick:
        command = f"python -m benchmarks {name}" + (f" --seeds {','.join(map(str, seeds))}" if seeds else "")
        _record.append_block(module.SECTION, _record.block(name, figures, command=command, busy=busy))
    return all(f.holds is not False for f in figures)


def _show(figures: Sequence[Figure]) -> None:
    rows = [HEADINGS, *(f.cells() for f in figures)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEADINGS))]
    for row in rows:
        print("  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
