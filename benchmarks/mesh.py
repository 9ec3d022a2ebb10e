"""Meshes: volume, soundness, time and memory, beside skimage's bare marching cubes in the same run. About 15 minutes.

Balls at three spacings, two oblique affines and both hands; every organ of every volume phantom; the Hippocampus
masks; and 512³ in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import trimesh

import vesalius as vs
from benchmarks import _fits
from benchmarks._figures import Figure, at_least, at_most
from vesalius import formats
from vesalius.core import registry
from vesalius.core.case import Ref
from vesalius.core.errors import VesaliusError
from vesalius.core.image import Array, Image
from vesalius.core.meshes import pieces
from vesalius.prepare.case import load_mask
from vesalius.shapes.checks import checked
from vesalius.shapes.extract import extracted
from vesalius.shapes.files import mesh_suffixes, read_surface, write_surface
from vesalius.shapes.reduce import reduced

SECTION = "Shapes"
SOAK = False
SEEDS = (0,)
VOLUME, SECONDS, GIB = 1.0, 60.0, 4.0  # per cent, and of 512³
SPACINGS = ((1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (0.4, 0.9, 2.0))
TURNS = (0.3, 1.1)
CASES, MOST_MASKS = 2, 60
LARGE = """
import resource, sys, time
import numpy as np
from vesalius.core.image import Image
from vesalius.shapes.extract import extracted
n = int(sys.argv[1])
z, y, x = np.ogrid[:n, :n, :n]
bits = ((z - n / 2) ** 2 + (y - n / 2.1) ** 2 + (x - n / 1.9) ** 2 <= (0.4 * n) ** 2)[None]
began, spent = time.perf_counter(), time.process_time()
found = extracted(Image(bits, affine=np.eye(4)))
took = time.perf_counter() - began, time.process_time() - spent
off = abs(found.mesh_ml["label 1"] / found.mask_ml["label 1"] - 1) * 100
print(*took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, len(found.surface.faces), off)
"""


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Figures of balls, phantoms, Hippocampus masks, files and the largest volume. Quick: few and small ones."""
    rows = balls(14 if quick else 40)
    rows += told("phantom organs", list(phantoms(folder, seeds[0], quick=quick)))
    rows += told("Hippocampus", list(hippocampus(2 if quick else MOST_MASKS)))
    rows += files(folder, 14 if quick else 60)
    return [*rows, *large(64 if quick else 512)]


def balls(n: int) -> list[Figure]:
    """The worst error of volume over spacings, affines and hands, ours and bare marching cubes'."""
    bits, ours, bare = ball(n), [], []
    for spacing in SPACINGS:
        for turn in TURNS:
            for hand in (1, -1):
                to = trimesh.transformations.rotation_matrix(turn, [1.0, 2.0, 0.5])
                to[:3, :3] = to[:3, :3] @ np.diag([spacing[0] * hand, spacing[1], spacing[2]])
                found = extracted(Image(bits[None].astype(np.uint8), affine=to)).surface
                wanted = float(bits.sum() * np.prod(spacing))
                mesh = trimesh.Trimesh(found.vertices_mm, found.faces, process=False)
                ours.append(abs(mesh.volume / wanted - 1) * 100)
                points, faces = plain(bits)
                other = trimesh.Trimesh(points @ to[:3, :3].T, faces, process=False)
                bare.append(abs(abs(other.volume) / wanted - 1) * 100)
    what = f"ball of {n}³: largest error of volume over {len(ours)} affines"
    note = f"bare marching cubes {max(bare):.3f} %, inside out where the hand is left"
    return [at_most(what, max(ours), VOLUME, unit=" %", note=note)]


def ball(n: int) -> Array:
    """Bits of a ball that is off the grid's centre."""
    z, y, x = np.ogrid[:n, :n, :n]
    return np.asarray((z - n / 2 + 0.3) ** 2 + (y - n / 2 - 0.2) ** 2 + (x - n / 2) ** 2 <= (0.4 * n) ** 2)


def plain(bits: Array) -> tuple[Array, Array]:
    """Vertices `(x, y, z)` and faces of skimage's marching cubes at one half, as trimesh and others call it."""
    from skimage.measure import marching_cubes

    points, faces, _, _ = marching_cubes(bits.astype(np.float32), 0.5)  # type: ignore[no-untyped-call]
    return np.asarray(points[:, ::-1], np.float64), np.asarray(faces)


def phantoms(folder: Path, seed: int, *, quick: bool) -> Iterator[Image]:
    """The masks of volumes of every phantom that has them."""
    kinds = ("ct",) if quick else tuple(registry.names("phantom"))
    for kind in kinds:
        try:
            data = vs.phantom(folder / kind, kind=kind, cases=CASES, seed=seed)
            cases = vs.read(data).cases
        except VesaliusError:
            continue  # one that is no cohort by itself
        for case in cases:
            for target in case.targets.values():
                if isinstance(target, Ref | Image):
                    mask = load_mask(target)
                    if mask.affine is not None and not mask.is_2d:
                        yield mask


def hippocampus(most: int) -> Iterator[Image]:
    """The first masks of the Hippocampus training set."""
    folder = _fits.shared("hippocampus") / "labelsTr"
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith("."))[:most]:
        yield formats.read_mask(path)


def told(what: str, masks: Sequence[Image]) -> list[Figure]:
    """How far volumes are off, how many meshes are sound, and how many of bare marching cubes are closed."""
    off, sound, closed, count, thin = [], 0, 0, 0, 0
    began = time.process_time()
    for mask in masks:
        found = extracted(mask)
        for label, one in pieces(found.surface):
            name = label.name if label else ""
            count += 1
            off.append(abs(found.mesh_ml[name] / found.mask_ml[name] - 1) * 100)
            sound += checked(one).sound
            value = label.value if label else 1
            points, faces = plain(np.asarray(mask.array[0] == value))
            closed += trimesh.Trimesh(points, faces, process=False).is_watertight
            fewer = reduced(one, max(len(one.faces) // 4, 100))
            thin += checked(fewer.surface).sound
    spent = time.process_time() - began
    note = f"{len(masks)} masks, {count} labels, {spent:.1f} s of processor time with checks, thinning and the peer"
    return [
        at_most(f"{what}: largest error of volume", max(off), VOLUME, unit=" %", note=note),
        at_least(f"{what}: share of meshes that are sound", sound / count, 1.0,
                 note=f"bare marching cubes closed {closed} of {count}"),
        Figure(f"{what}: sound after thinning to a quarter", f"{thin} of {count}"),
    ]  # fmt: skip


def files(folder: Path, n: int) -> list[Figure]:
    """Size and time of each format, and how far vertices are off when they are read back."""
    surface = extracted(Image(ball(n)[None].astype(np.uint8), affine=np.diag([0.7, 0.7, 2.0, 1.0]))).surface
    rows = []
    for suffix in mesh_suffixes(written=True):
        began = time.perf_counter()
        path = write_surface(surface, folder / f"ball{suffix}")
        wrote = time.perf_counter() - began
        began = time.perf_counter()
        back = read_surface(path)
        read = time.perf_counter() - began
        far = float(np.abs(np.sort(back.vertices_mm, axis=0) - np.sort(surface.vertices_mm, axis=0)).max())
        note = f"{path.stat().st_size / 1e6:.2f} MB, written in {wrote:.2f} s, read in {read:.2f} s"
        what = f"{suffix} of {len(surface.faces):,} faces read back"
        rows.append(at_most(what, far, 1e-4, unit=" mm", digits=6, note=note))
    return rows


def large(n: int) -> list[Figure]:
    """Time and memory of one volume, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", LARGE, str(n)], capture_output=True, text=True, check=True)
    took, spent, peak, faces, off = (float(x) for x in done.stdout.split())
    note = f"{faces:,.0f} faces, {spent:.1f} s of processor time"
    return [
        at_most(f"{n}³: time", took, SECONDS, unit=" s", digits=1, note=note),
        at_most(f"{n}³: memory of the process", peak, GIB, unit=" GiB", digits=2),
        at_most(f"{n}³: error of volume", off, VOLUME, unit=" %"),
    ]
