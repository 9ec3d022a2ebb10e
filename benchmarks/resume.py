"""Fits killed at random moments and resumed: each must end bit-identical to the one never interrupted."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _fits, _quick, _record
from benchmarks._figures import Figure

SECTION = "Soak"
SOAK = True
SEEDS = (0,)
FITS, KILLS = 20, 8
OPTIONS = (
    "--target", "mask", "--set", "net.scale=0.125", "--set", "train.steps=400", "--set", "train.batch=2",
    "--set", "train.validations=5", "--set", "train.checkpoint_every_s=0.5", "--set", "train.threads=1",
)  # fmt: skip


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """One fit left alone; then fits of the same plan, each killed up to eight times. Quick: one fit, two kills."""
    fits, kills = (1, 2) if quick else (FITS, KILLS)
    data = _quick.volumes(folder)
    rows: list[Figure] = []
    for seed in seeds:
        began = time.monotonic()
        whole = folder / f"whole-{seed}"
        options = (*OPTIONS, "--set", "train.steps=40") if quick else OPTIONS
        words = _fits.vesalius("fit", str(data), "-o", str(whole), "--seed", str(seed), *options)
        _run(words, None)
        alone = time.monotonic() - began
        want = weights(whole)
        moments = random.Random(seed)
        killed = same = 0
        for number in range(fits):
            out = folder / f"killed-{seed}-{number}"
            killed += _tormented(data, out, whole / "plan.json", seed, kills, moments, alone)
            same += weights(out) == want
        took = time.monotonic() - began
        note = f"{killed} kills, {took / 60:.0f} min"
        rows.append(
            Figure("bit-identical after kills", f"{same} of {fits}", f"{fits}", same == fits, str(seed), note)
        )
    return rows


def _tormented(
    data: Path, out: Path, plan: Path, seed: int, kills: int, moments: random.Random, alone: float
) -> int:
    """Kill and resume until it has been killed that often, or is done; then let it end. Returns the kills."""
    done = 0
    base = ("fit", str(data), "--target", "mask", "-o", str(out), "--seed", str(seed))
    for chance in range(kills + 1):
        follow = ("--resume",) if (out / "plan.json").is_file() else ("--plan", str(plan))
        if follow[0] == "--plan":
            shutil.rmtree(out, ignore_errors=True)  # killed before there was anything to go on from
        limit = moments.uniform(0.1, 0.6) * alone if chance < kills else None
        if _run(_fits.vesalius(*base, *follow), limit):
            break
        done += 1
    return done


def _run(words: Sequence[str], kill_after_s: float | None) -> bool:
    """Run to the end, or send SIGKILL after that long; returns whether it ended by itself."""
    with subprocess.Popen(
        words, cwd=_record.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            _, said = process.communicate(timeout=kill_after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return False
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}: {said.decode()[-2000:]}")
    return True


def weights(run: Path) -> str:
    """A digest of all of a run's weights."""
    digest = hashlib.sha256()
    for path in sorted((run / "bundle").glob("weights-*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
