"""Whether every registered net says the same in ONNX Runtime, OpenVINO, torch.export and MONAI as it does here."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import vesalius as vs
from benchmarks._figures import Figure, at_most
from benchmarks._untrained import LEFT_OUT, bundle_of, wanted
from vesalius.core.errors import MissingExtra, VesaliusError
from vesalius.exports.contract import LIMIT

SECTION = "Models taken out"
SOAK = False
SEEDS = (0,)
FORMS = ("onnx", "openvino", "torchexport", "monai")
MOST_LEFT_OUT = 3


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """The largest difference of raw outputs of each form over all nets, as a share of its limit, and what failed."""
    found = [at_most("nets that are left out, with the reason", len(LEFT_OUT), MOST_LEFT_OUT, digits=0,
                     note="; ".join(f"{name}: {why}" for name, why in LEFT_OUT.items()))]  # fmt: skip
    nets = sorted(wanted(families=quick))[: 2 if quick else None]
    for form in FORMS:
        worst, at, failed, many = 0.0, "", dict[str, str](), 0
        for name, dims in nets:
            place = folder / f"{name}-{dims}-{form}"
            try:
                done = vs.export(bundle_of(name, dims, place), form, out=folder / "out", script=False)
            except MissingExtra as error:
                failed[f"{name} {dims}-D"] = str(error)
            except VesaliusError as error:
                failed[f"{name} {dims}-D"] = f"{error.what}; {error.found}"
            else:
                many += 1
                share = max(one.difference / one.limit for one in done.agreements)
                worst, at = max((worst, at), (share, f"{name} in {dims}-D"))
            shutil.rmtree(folder / "out", ignore_errors=True)
            shutil.rmtree(place, ignore_errors=True)
        what = f"{form}: largest difference of raw outputs, in limits of {LIMIT:g}"
        found.append(
            at_most(what, worst, 1.0, digits=4, note=f"{many} of {len(nets)} nets and dimensions; at {at}")
        )
        words = "; ".join(f"{name}: {why}" for name, why in failed.items())
        found.append(at_most(f"{form}: nets that fail", len(failed), 0, digits=0, note=words))
    return found
