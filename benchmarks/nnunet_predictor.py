"""Our predictor beside nnU-Net's: the same net, tiles and mirror images on one CT; seconds and memory, file to file.

It needs an environment with nnunetv2 (Apache-2.0), which is not this project's own:

    python3 -m venv .nnunet && .nnunet/bin/pip install torch==2.13.0 nnunetv2
    python -m benchmarks.nnunet_predictor --nnunet .nnunet/bin/python

and openvino or onnxruntime here (`pip install 'vesalius[compress]'`). Both sides are processes of their own, one after
the other, with as many threads, and their memory is looked at from outside. nnU-Net's answer is made twice: as it is,
which sums in 16 bits, and that is the one that is timed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import _record
from benchmarks._figures import Figure, at_most
from benchmarks._fits import Absent, vesalius
from benchmarks._memory import high_water_gib
from benchmarks._stretched import SPACING, stretched_ct
from vesalius import formats
from vesalius.plan import machine as machines

SECTION = "Beside nnU-Net's predictor"
SOAK = True
SEEDS = (0,)
NNUNET = _record.ROOT / ".nnunet" / "bin" / "python"
SCRIPT = Path(__file__).with_name("_nnunet.py")
LABELS = 14
RATIO = 0.5
RUNTIMES = ("openvino", "onnx", "torch")


@dataclass(frozen=True)
class Size:
    """How large it is: the CT `(Z, Y, X)`, a side of a tile, and the features of the first stage."""

    shape: tuple[int, int, int]
    patch: int
    features: int


FULL = Size((400, 512, 512), 128, 8)
SMALL = Size((40, 48, 44), 32, 4)


@dataclass(frozen=True)
class Took:
    """The seconds of a process and its highest resident memory."""

    wall_s: float
    peak_gib: float


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Compare on a stretched phantom and a PlainConvUNet of drawn weights. Quick: 44 × 48 × 40 voxels, tiles of 32."""
    return figures(folder, NNUNET, SMALL if quick else FULL, seed=seeds[0])


def figures(folder: Path, python: Path, size: Size, *, seed: int) -> list[Figure]:
    """Return seconds and memory of both, and in how many voxels they differ. Raises Absent."""
    if not python.exists():
        raise Absent(f"no environment with nnunetv2: {python}")
    folder.mkdir(parents=True, exist_ok=True)
    threads = machines.measure().cores
    theirs, bundle, image = folder / "nnunet", folder / "bundle", folder / "ct_0000.nii.gz"
    stretched_ct(image, size.shape, seed)
    made = [str(size.features), str(size.patch), str(LABELS), str(SPACING)]
    _done([str(python), str(SCRIPT), "make", str(theirs), *made])
    results = next(p.parent for p in theirs.rglob("plans.json"))
    _done(vesalius("import", str(results), "-o", str(bundle)))
    other = _took(
        [str(python), str(SCRIPT), "answer", str(theirs), str(image), str(folder / "theirs"), str(threads)]
    )
    found: dict[str, Took] = {}
    for runtime in RUNTIMES:
        words = ["predict", str(bundle), str(image), "-o", str(folder / runtime), "--runtime", runtime]
        try:
            found[runtime] = _took(vesalius(*words))
        except RuntimeError as error:
            if "extra" not in str(error) and "pip install" not in str(error):
                raise
    return _rows(folder, size, other, found, threads)


def _rows(folder: Path, size: Size, other: Took, found: dict[str, Took], threads: int) -> list[Figure]:
    what = " × ".join(str(n) for n in reversed(size.shape))
    about = f"PlainConvUNet of {size.features} features, tiles of {size.patch}³, 8 views, {threads} threads"
    rows = [
        Figure(f"nnU-Net's predictor, {what}", f"{other.wall_s:.0f} s", note=about),
        Figure(f"VmHWM of nnU-Net's predictor, {what}", f"{other.peak_gib:.2f} GiB"),
    ]
    truth = formats.read(folder / "theirs.nii.gz").array[0]
    for runtime, took in found.items():
        mask = next(p for p in sorted((folder / runtime).iterdir()) if p.name.endswith(".nii.gz"))
        apart = float((formats.read(mask).array[0] != truth).mean())
        said = f"{took.wall_s:.0f} s, {took.peak_gib:.2f} GiB"
        rows.append(Figure(f"ours, {runtime}", said, note=f"{apart:.2e} of the labels differ"))
    fastest = min(found, key=lambda runtime: found[runtime].wall_s)
    best = found[fastest]
    return [
        *rows,
        at_most(f"seconds, {fastest} / nnU-Net's", best.wall_s / other.wall_s, RATIO),
        at_most(f"VmHWM, {fastest} / nnU-Net's", best.peak_gib / other.peak_gib, RATIO),
    ]


def _done(words: Sequence[str]) -> None:
    ended = subprocess.run(list(words), cwd=_record.ROOT, capture_output=True, text=True)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(words[:4])} ended with {ended.returncode}: {ended.stderr[-2000:]}")


def _took(words: Sequence[str]) -> Took:
    """Run a command, looking at its own high-water mark twenty times a second."""
    began, peak = time.monotonic(), 0.0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(list(words), cwd=_record.ROOT, stdout=subprocess.DEVNULL, stderr=said)
        while process.poll() is None:
            peak = max(peak, high_water_gib(process.pid))
            time.sleep(0.05)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(
                f"{' '.join(words[:4])} ended with {process.returncode}: {said.read()[-2000:]}"
            )
    return Took(time.monotonic() - began, peak)


def main() -> int:
    """Compare with the nnU-Net of the environment that `--nnunet` names, print the figures and record them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nnunet_predictor", description=__doc__)
    parser.add_argument("--nnunet", type=Path, default=NNUNET, metavar="PYTHON", help="has nnunetv2")
    parser.add_argument(
        "--features", type=int, default=FULL.features, help="of the first stage; nnU-Net plans 32"
    )
    parser.add_argument("--quick", action="store_true", help="a small CT; nothing is recorded")
    given = parser.parse_args()
    size = SMALL if given.quick else Size(FULL.shape, FULL.patch, given.features)
    busy = _record.load()
    with tempfile.TemporaryDirectory(prefix="vesalius-nnunet-") as folder:
        try:
            rows = figures(Path(folder) / "run", given.nnunet, size, seed=SEEDS[0])
        except Absent as reason:
            print(f"skipped: {reason}", file=sys.stderr)
            return 2
    for figure in rows:
        print("  ".join(cell for cell in figure.cells() if cell))
    if not given.quick:
        command = f"python -m benchmarks.nnunet_predictor --nnunet PYTHON --features {size.features}"
        _record.append_block(SECTION, _record.block("nnunet_predictor", rows, command=command, busy=busy))
    return 0 if all(f.holds is not False for f in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
