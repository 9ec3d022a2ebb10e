"""The bundles that a server answers with, each opened once and loaded once per device; used by http/ and node/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius.core.bundle import Bundle, open_bundle
from vesalius.infer.predictor import Predictor
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """One bundle under the name that the server gives it. `predictors` has one predictor per device, in their order."""

    name: str
    bundle: Bundle
    predictors: tuple[Predictor, ...]

    @property
    def joins(self) -> bool:
        """Whether the model can answer several waiting cases in one pass."""
        return self.predictors[0].joins

    def predictor(
        self, device: int = 0, *, accept_mismatch: bool = False, refuse_unlike: bool = False
    ) -> Predictor:
        """Return the predictor of the device with that index.

        With `accept_mismatch`, it also answers images of another modality or unit than the bundle learned from; with
        `refuse_unlike` none that raises the alarm for being unlike those of training.
        """
        found = self.predictors[device]
        found = found.accepting if accept_mismatch else found
        return found.refusing if refuse_unlike else found


def open_model(
    name: str,
    path: Path,
    *,
    devices: Sequence[str | None] = (None,),
    accept_mismatch: bool = False,
    refuse_unlike: bool = False,
) -> LoadedModel:
    """Open a bundle, or the bundle inside a run's folder, and load it on each device.

    A device of None is a GPU where there is one, otherwise the processor. Raises BundleError for a folder that is not
    a bundle, or whose files were changed; PlanError for a device that this machine does not have.
    """
    bundle = open_bundle(path)
    predictors = tuple(
        Predictor(bundle, device=d, accept_mismatch=accept_mismatch, refuse_unlike=refuse_unlike)
        for d in devices
    )
    return LoadedModel(name, bundle, predictors)


def open_models(
    paths: Mapping[str, Path],
    *,
    devices: Sequence[str | None] = (None,),
    accept_mismatch: bool = False,
    refuse_unlike: bool = False,
) -> dict[str, LoadedModel]:
    """Open every bundle of a server, and let torch use all the cores of this machine that the process may use.

    `paths`: the model's name → the folder of its bundle or of its run. Names of the same folder share
    its loaded weights. Raises what `open_model` raises.
    """
    torch_threads.use(machines.measure().cores)
    opened: dict[Path, LoadedModel] = {}
    found = {}
    for name, path in paths.items():
        folder = path.absolute()
        if folder not in opened:
            opened[folder] = open_model(
                name, path, devices=devices, accept_mismatch=accept_mismatch, refuse_unlike=refuse_unlike
            )
        found[name] = LoadedModel(name, opened[folder].bundle, opened[folder].predictors)
    return found
