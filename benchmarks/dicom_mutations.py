"""Ten thousand damaged DICOM files, seeded: an image, a named other object or one typed error, in bounded memory."""

from __future__ import annotations

import resource
import runpy
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _fits, _record
from benchmarks._figures import Figure, at_most
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, NotAnImage
from vesalius.formats import dicom

SECTION = "Soak"
SOAK = True
SEEDS = (0,)
COUNT, LARGEST = 10_000, 200_000
SLOWEST_S = 10.0


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Each file of the zoo of up to 200 kB in turn, damaged in up to four ways. Quick: 300 files."""
    mutant = runpy.run_path(str(_record.ROOT / "tests" / "dicom" / "dicom_mutations.py"))["mutants"]
    zoo = sorted(p for p in _fits.shared("dicom_zoo").rglob("*.dcm") if p.stat().st_size < LARGEST)
    files = [p.read_bytes() for p in zoo]
    seen: Counter[str] = Counter()
    crashes: list[str] = []
    slowest = 0.0
    path = folder / "mutant.dcm"
    for seed in seeds:
        for k, bad in enumerate(mutant(files, 300 if quick else COUNT, seed=seed)):
            path.write_bytes(bad)
            began = time.process_time()  # of this process alone, whatever else the machine does
            try:
                dicom.read(Ref((path,)))
                seen["image"] += 1
            except NotAnImage:
                seen["another object, named"] += 1
            except FormatError:
                seen["typed error"] += 1
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - what this benchmark looks for, a decoder's panic too
                crashes.append(f"{zoo[k % len(zoo)].name}, {k}: {type(error).__name__}")
            slowest = max(slowest, time.process_time() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [
        *(Figure(f"damaged files that gave: {what}", str(n)) for what, n in sorted(seen.items())),
        Figure("untyped errors", str(len(crashes)), "0", not crashes, note="; ".join(crashes[:5])),
        at_most("peak resident memory", peak, 1.0, unit=" GiB"),
        at_most("the slowest file, in processor time", slowest, SLOWEST_S, unit=" s"),
    ]
