"""A PACS node under kill -9 and malformed connections, with a real Orthanc: one SEG and one SR a bundle and study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import _clinic
from benchmarks._figures import Figure, at_most
from benchmarks._fits import Absent

SECTION = "Soak"
SOAK = True
SEEDS = (0,)
INSTANCES, KILLS, BUNDLES, MALFORMED = 1000, 10, 2, 100


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """1,000 instances in 25 studies, ten kills, two bundles; 100 malformed connections. Quick: a tenth."""
    reason = _clinic.missing()
    if reason is not None:
        raise Absent(reason)
    instances, kills, bundles = (100, 2, 1) if quick else (INSTANCES, KILLS, BUNDLES)
    rows: list[Figure] = []
    for seed in seeds:
        here = folder / f"burst-{seed}"
        here.mkdir()
        made = _clinic.alone("burst", here, *map(str, (instances, kills, seed, bundles)), timeout_s=3600)
        note = (
            f"{instances} instances of 32×32, {made['kills']} times kill -9, {bundles} bundles; all acknowledged after"
            f" {made['acknowledged_s']:.0f} s, all confirmed after {made['took_s']:.0f} s; {made['replaced']} results"
            " of incomplete series replaced"
        )
        rows.append(
            Figure(
                "studies with exactly one SEG and one SR a bundle, of all images",
                f"{made['right']} of {made['studies']}",
                f"{made['studies']}",
                made["right"] == made["studies"] and made["kills"] == kills,
                str(seed),
                note,
            )
        )
        rows.append(Figure("where the series stood at each kill", "; ".join(made["when"]), seed=str(seed)))
        here = folder / f"malformed-{seed}"
        here.mkdir()
        bad = _clinic.alone("malformed", here, str(MALFORMED), str(seed), timeout_s=900)
        note = f"{bad['connections']} malformed connections held open, echoscu throughout"
        rows.append(at_most("slowest C-ECHO", bad["slowest_echo_s"], 5, unit=" s", seed=str(seed), note=note))
        rows.append(at_most("memory grown", bad["grown_mb"], 100, unit=" MB", digits=1, seed=str(seed)))
    return rows
