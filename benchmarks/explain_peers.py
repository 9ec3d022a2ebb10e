"""Whether explainers say what the packages lime, shap and captum say, with the same segments, and how fast both are."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _record
from benchmarks._figures import Figure, at_least, at_most
from benchmarks._fits import Absent

SECTION = "Explanations"
SOAK = False
SEEDS = (0,)
PEERS = _record.ROOT / ".peers" / "bin" / "python"
NEEDS = ("lime", "shap", "captum")
R, RATIO = 0.9, 1.0
MANY, FEW, SIZE = 2000, 32, 224  # samples for answers, and for times; pixels of the picture that is timed


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Compare on a ResNet-18 with drawn weights and one phantom, in the environment of the packages."""
    return figures(_python(PEERS), quick=quick)


def figures(python: Path, *, quick: bool) -> list[Figure]:
    """Return the rank correlation with each package, and how long ours takes over how long the package does."""
    words = ("200", "20", "64", "0.25") if quick else (str(MANY), str(FEW), str(SIZE), "1")
    path = os.pathsep.join([str(_record.ROOT / "src"), str(_record.ROOT)])
    done = subprocess.run(
        [str(python), "-m", "benchmarks._peers", *words],
        cwd=_record.ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(
            f"{python} -m benchmarks._peers ended with {done.returncode}: {done.stderr[-1500:]}"
        )
    rows = []
    for one in json.loads(done.stdout.splitlines()[-1]):
        name = f"{one['method']} and {one['package']}"
        took = f"{1000 * one['ours_s']:.1f} ms of processor time an image, the package {1000 * one['theirs_s']:.1f} ms"
        rows.append(at_least(f"{name}: rank correlation", one["r"], R))
        rows.append(
            at_most(
                f"{name}: time a sample / the package's", one["ours_s"] / one["theirs_s"], RATIO, note=took
            )
        )
    return rows


def _python(path: Path) -> Path:
    """Return an interpreter that has the packages: that one, or this one. Raises Absent."""
    look = f"import {', '.join(NEEDS)}"
    for python in (path, Path(sys.executable)):
        if python.exists() and not subprocess.run([str(python), "-c", look], capture_output=True).returncode:
            return python
    raise Absent(
        f"no environment with {', '.join(NEEDS)} beside this package's own requirements in {path.parent}"
    )


def main() -> int:
    """Compare in the environment that `--peers` names, print the figures and record them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain_peers", description=__doc__)
    parser.add_argument(
        "--peers", type=Path, default=PEERS, metavar="PYTHON", help="has lime, shap and captum"
    )
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    busy, rows = _record.load(), figures(_python(given.peers), quick=given.quick)
    for figure in rows:
        print("  ".join(cell for cell in figure.cells() if cell))
    if not given.quick:
        command = "python -m benchmarks.explain_peers --peers PYTHON"
        _record.append_block(SECTION, _record.block("explain_peers", rows, command=command, busy=busy))
    return 0 if all(f.holds is not False for f in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
