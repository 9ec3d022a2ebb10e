"""The bundles that a server answers with, each opened, loaded and tested once per device; used by http/ and node/."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vesalius.core.bundle import Bundle, open_bundle
from vesalius.core.errors import BundleError
from vesalius.infer.choosing import AUTO, SERVICE, choose
from vesalius.infer.drifting import Drifting
from vesalius.infer.guarding import Guard, guard_of
from vesalius.infer.predictor import Predictor
from vesalius.infer.selftest.checking import SelfTest, selftested
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads

_LOG = logging.getLogger("vesalius.serve")
MOST_S = (
    10.0  # after so many seconds no further made-up input of a self-test is answered; the first always is
)


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """One bundle under the name that the server gives it. `predictors` has one predictor per device, in their order.

    `selftest` says how its self-test went, on the device on which most differed. `drifting` follows the cases that its
    predictors answer.
    """

    name: str
    bundle: Bundle
    predictors: tuple[Predictor, ...]
    selftest: SelfTest
    drifting: Drifting

    @property
    def doubt(self) -> str | None:
        """What a person must know of the self-test, in one sentence; None where the bundle passed it."""
        return (
            None
            if self.selftest.passed
            else f"{self.name}: self-test {self.selftest.outcome}: {self.selftest.why}"
        )

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
    selftest: bool = True,
    runtime: str | None = None,
) -> LoadedModel:
    """Open a bundle, or the bundle inside a run's folder, load it on each device, and test it there.

    A device of None is a GPU where there is one, otherwise the processor; there `runtime` computes, by default the
    fastest (see `infer/choosing.py`). Without `selftest` nothing is tested. Raises
    BundleError for a folder that is not a bundle, or whose files were changed, or that does not answer here as it did
    where it was made; PlanError for a device that this machine does not have.
    """
    bundle = open_bundle(path)
    opened = None if runtime == AUTO else runtime
    predictors = tuple(
        Predictor(
            bundle, device=d, accept_mismatch=accept_mismatch, refuse_unlike=refuse_unlike, runtime=opened
        )
        for d in devices
    )
    for predictor in predictors:
        choice = choose(predictor, runtime, cases=SERVICE)
        if choice.told:
            _LOG.info("%s is answered by %s: %s", name, choice.runtime, choice.why)
    if not selftest:
        skipped = SelfTest(bundle.name, bundle.hash, "skipped", "it was not asked for")
        return _followed(name, bundle, predictors, skipped)
    tests = [selftested(bundle, predictor, most_s=MOST_S) for predictor in predictors]
    for found in tests:
        if found.refused:
            raise BundleError(
                f"the bundle at {path} does not answer here as it did where it was made",
                found=found.why,
                hint=f"vesalius selftest {path}; all the same: --without-selftest, of a node selftest: false",
            )
    return _followed(name, bundle, predictors, max(tests, key=lambda found: found.largest or 0.0))


def _followed(name: str, bundle: Bundle, predictors: Sequence[Predictor], selftest: SelfTest) -> LoadedModel:
    """Return a model whose drift is followed from now on; made-up inputs of its self-test have no part in it."""
    drifting = Drifting.of(bundle)
    return LoadedModel(
        name, bundle, tuple(p.listening(drifting.hear) for p in predictors), selftest, drifting
    )


def open_guards(
    path: Path,
    devices: Sequence[str | None] = (None,),
    *,
    selftest: bool = True,
    runtime: str | None = None,
) -> tuple[Guard, ...]:
    """Return a bundle of what is normal as a guard, loaded and tested on each device as any other bundle is.

    Raises what `open_model` raises, and PlanError for a bundle that guards nothing.
    """
    model = open_model("guard", path, devices=devices, selftest=selftest, runtime=runtime)
    if model.doubt is not None:
        _LOG.warning("%s", model.doubt)
    return tuple(guard_of(predictor) for predictor in model.predictors)


def open_models(
    paths: Mapping[str, Path],
    *,
    devices: Sequence[str | None] = (None,),
    accept_mismatch: bool = False,
    refuse_unlike: bool = False,
    selftest: bool = True,
    runtime: str | None = None,
    guards: Sequence[Guard] = (),
) -> dict[str, LoadedModel]:
    """Open and test every bundle of a server, and let torch use all the cores that this process may use.

    `paths`: the model's name → the folder of its bundle or of its run. Names of the same folder share
    its loaded weights. `guards` are a guard as it is loaded on each device, which looks at each case first (see
    `infer/guarding.py`). Raises what `open_model` raises, and PlanError where the guard cannot look at what a bundle
    is asked about.
    """
    torch_threads.use(machines.measure().cores)
    opened: dict[Path, LoadedModel] = {}
    found = {}
    for name, path in paths.items():
        folder = path.absolute()
        if folder not in opened:
            made = open_model(
                name,
                path,
                devices=devices,
                accept_mismatch=accept_mismatch,
                refuse_unlike=refuse_unlike,
                selftest=selftest,
                runtime=runtime,
            )
            if guards:
                held = zip(made.predictors, guards, strict=True)
                made = replace(made, predictors=tuple(p.guarded(guard) for p, guard in held))
            opened[folder] = made
        found[name] = replace(opened[folder], name=name)
    return found
