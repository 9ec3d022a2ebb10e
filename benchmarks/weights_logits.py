"""Whether weights of ImageNet say in our nets what they say in the implementations that made them: 50 pictures."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow

from benchmarks import _fits, _record
from benchmarks._figures import Figure, at_least, at_most
from benchmarks._fits import Absent
from vesalius import nets
from vesalius.core import registry
from vesalius.weights.packages import file_of
from vesalius.weights.reader import read
from vesalius.weights.sources import KIND

SECTION = "Weights of others"
SOAK = False
SEEDS = (0,)
PEERS = _record.ROOT / ".peers-weights" / "bin" / "python"
NEEDS = ("torchvision", "efficientnet_lite_pytorch")
NAMES = ("mobilenetv2-imagenet", "efficientnetlite0-imagenet")
PICTURES, SIDE, BOUND = 50, 224, 1e-4


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Compare on pictures of BUSI. Quick: two made-up ones, each net with itself, to try the code."""
    return figures(None if quick else _python(PEERS), folder)


def figures(python: Path | None, folder: Path) -> list[Figure]:
    """Return the largest difference of a logit, and how often the likeliest class is the same."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = _pictures() if python else np.random.default_rng(0).uniform(0, 255, (2, 3, 64, 64))
    given: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    for name in NAMES:
        weights, source = read(name), registry.lookup(KIND, name)
        assert weights.net is not None
        mean, sd = (np.array(values)[:, None, None] for values in (weights.mean, weights.sd))
        x = ((pictures - mean) / sd).astype(np.float32)
        net = nets.build(weights.net.name, dims=2, in_channels=3)
        head = net.head(1000)
        net.load_state_dict(dict(weights.tensors))
        head.load_state_dict(dict(weights.head))
        net.eval(), head.eval()
        short = name.partition("-")[0]
        with torch.no_grad():
            ours[short] = torch.cat([head(net(part)) for part in torch.from_numpy(x).split(10)]).numpy()
        given |= {f"{short}-x": x, f"{short}-path": str(file_of(source.PACKAGE, source.FILE, source.INSTALL))}
    theirs = ours if python is None else _theirs(python, given, folder)
    rows = []
    for name, logits in ours.items():
        apart = float(np.abs(logits - theirs[name]).max())
        note = f"logits from {logits.min():.1f} to {logits.max():.1f}"
        rows.append(at_most(f"{name}: largest difference of a logit", apart, BOUND, digits=7, note=note))
        same = float((logits.argmax(1) == theirs[name].argmax(1)).mean())
        rows.append(at_least(f"{name}: same likeliest class", same, 1.0))
    return rows


def _pictures() -> Any:
    """Return pictures of BUSI in colour, `(N, 3, Y, X)`, 0 to 255."""
    root = _fits.shared("busi")
    paths = sorted(p for p in root.rglob("*.png") if "mask" not in p.name)[
        :: len(list(root.rglob("*.png"))) // 60
    ]
    read_in = [np.asarray(Pillow.open(p).convert("RGB").resize((SIDE, SIDE))) for p in paths[:PICTURES]]
    return np.stack(read_in).transpose(0, 3, 1, 2).astype(np.float64)


def _theirs(python: Path, given: dict[str, Any], folder: Path) -> Any:
    np.savez(folder / "given.npz", **given)
    words = [
        str(python),
        str(Path(__file__).with_name("_reference_logits.py")),
        str(folder / "given.npz"),
        str(folder / "theirs.npz"),
    ]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": ""}
    )
    if done.returncode:
        raise RuntimeError(f"{python} ended with {done.returncode}: {done.stderr[-1500:]}")
    return np.load(folder / "theirs.npz")


def _python(path: Path) -> Path:
    """Return an interpreter that has the reference implementations. Raises Absent."""
    look = f"import {', '.join(NEEDS)}"
    if path.exists() and not subprocess.run([str(path), "-c", look], capture_output=True).returncode:
        return path
    raise Absent(f"no environment with {', '.join(NEEDS)} in {path.parent.parent}")


def main() -> int:
    """Compare in the environment that `--peers` names, print the figures and record them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weights_logits", description=__doc__)
    parser.add_argument(
        "--peers", type=Path, default=PEERS, metavar="PYTHON", help="has torchvision and the package"
    )
    parser.add_argument("--keep", type=Path, default=Path("runs") / "weights_logits")
    given = parser.parse_args()
    busy, rows = _record.load(), figures(_python(given.peers), given.keep)
    for figure in rows:
        print("  ".join(cell for cell in figure.cells() if cell))
    command = "python -m benchmarks.weights_logits --peers PYTHON"
    _record.append_block(SECTION, _record.block("weights_logits", rows, command=command, busy=busy))
    return 0 if all(f.holds is not False for f in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
