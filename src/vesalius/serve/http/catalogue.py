"""The catalogue of a service: its models by name, and what clients are told of each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.answers import contract as answers
from vesalius.core import palette
from vesalius.core.bundle import Bundle
from vesalius.core.calibration import operating_point
from vesalius.core.errors import DataError, UnknownName
from vesalius.explain import methods
from vesalius.explain.contract import Method
from vesalius.explain.fitting import explainers_of
from vesalius.infer.clicking import takes_clicks
from vesalius.infer.predictor import Predictor
from vesalius.infer.selftest.checking import SelfTest
from vesalius.serve.http.cards import page_of
from vesalius.serve.http.measured import measured
from vesalius.serve.http.problems import Problem
from vesalius.serve.http.tables import columns_of, reads_table
from vesalius.serve.models import LoadedModel, open_guards, open_models

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")


@dataclass(frozen=True, eq=False)
class ServedModel(LoadedModel):
    """A loaded model, and what clients are told of it (`schemas.ModelBody`)."""

    about: Mapping[str, Any]

    @property
    def explainers(self) -> tuple[str, ...]:
        """The names of the explainers that can explain this model's answers."""
        return tuple(self.about["explainers"])

    @property
    def mapping_explainers(self) -> tuple[str, ...]:
        """The names of those explainers whose explanation is a map over the image."""
        return tuple(name for name in self.explainers if isinstance(methods.get(name), Method))

    def body(self) -> dict[str, Any]:
        """Return what clients are told of this model now, with whether the cases that it answered drift."""
        drift = self.drifting.report()
        banners = [
            *self.about["banners"],
            *([{"kind": "drift", "text": drift.sentence}] if drift.drifted else []),
        ]
        return {**self.about, "banners": banners, "drift": drift.json()}

    def card(self) -> str:
        """Return the model's card as one page."""
        return page_of(self.bundle, self.explainers)


class Catalogue:
    """All models of a service by name, in the order given.

    `bundles` are folders of bundles or runs, or `NAME=FOLDER`. Each is tested (`vesalius selftest`) unless `selftest`
    says otherwise. `guard` is a bundle of what is normal, which looks at each case first. Raises BundleError, also for
    a bundle that fails; PlanError; DataError where two bundles have one name.
    """

    def __init__(
        self,
        bundles: Sequence[Path | str],
        devices: Sequence[str | None] = (None,),
        *,
        accept_mismatch: bool = False,
        refuse_unlike: bool = False,
        selftest: bool = True,
        runtime: str | None = None,
        guard: Path | None = None,
    ) -> None:
        self.devices = tuple(devices)
        self.guards = (
            () if guard is None else open_guards(guard, self.devices, selftest=selftest, runtime=runtime)
        )
        paths: dict[str, Path] = {}
        for given in bundles:
            name, path = name_and_path(given)
            if name in paths:
                raise DataError(f"two bundles named '{name}'", hint=f"{name}-2={path}")
            paths[name] = path
        loaded = open_models(
            paths,
            devices=self.devices,
            accept_mismatch=accept_mismatch,
            refuse_unlike=refuse_unlike,
            selftest=selftest,
            runtime=runtime,
            guards=self.guards,
        )
        self.by_name = {
            name: ServedModel(name, m.bundle, m.predictors, m.selftest, m.drifting, _about(m))
            for name, m in loaded.items()
        }

    def get(self, name: str | None) -> ServedModel:
        """Return the model of that name; without one, the only one that there is. Raises UnknownName, Problem 422."""
        if not name:
            if not self.by_name:
                raise Problem(404, "this service has no model", hint="tell who runs it")
            if len(self.by_name) > 1:
                raise Problem(422, "no model is named", hint=f"model is one of {', '.join(self.by_name)}")
            return next(iter(self.by_name.values()))
        if name not in self.by_name:
            raise UnknownName("model", name[:64], self.by_name)
        return self.by_name[name]


def name_and_path(given: Path | str) -> tuple[str, Path]:
    """Return a bundle's name in the service and its path: `NAME=PATH`, or the name of its folder or its run's."""
    text = str(given)
    name, sign, path = text.partition("=")
    if sign and _NAME.match(name):
        return name, Path(path)
    folder = Path(text).resolve()
    plain = folder.parent.name if folder.name == "bundle" else folder.name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")[:64] or "model", Path(text)


def describe(name: str, bundle: Bundle, predictor: Predictor) -> dict[str, Any]:
    """Return what a client is told of a model, by its last stage: the server knows no task."""
    stage = bundle.stages[-1]
    plan, values, calibration = stage.plan, stage.state.values, stage.calibration
    kind, learned = predictor.stages[-1].task.answer.__name__, bundle.learned
    held = values.get("labels") or ()
    colours = palette.by_name(held)
    labels = [{"value": x["value"], "name": x["name"], "colour": colours[x["name"]]} for x in held]
    return {
        "name": name,
        "hash": bundle.hash,
        "task": plan.task.name,
        "answer": kind,
        "labels": labels,
        "palette": list(palette.SERIES),
        "inputs": list(plan.data.images),
        "dims": plan.data.dims,
        "modality": learned.modality if learned else None,
        "unit": learned.unit if learned else plan.fingerprint.get("unit"),
        "channels": list(plan.data.channel_names),
        "covariates": list(predictor.needs),
        "columns": columns_of(predictor),
        "imageless": reads_table(predictor),
        "accepts_mismatch": predictor.accept_mismatch,
        "operating_point": operating_point(calibration.get("positive"), calibration.get("thresholds", {})),
        "calibrated": "temperature" in calibration,
        "frames": predictor.over_frames,
        "clicks": takes_clicks(predictor),
        "explainers": list(explainers_of(predictor)),
        "doubts": list(predictor.ways_of_doubting),
        "asks": list(answers.of(kind).asks_of(values)),
        "sources": list(predictor.stages[-1].task.sources(stage.state)),
        "research_use": True,
        **measured(bundle, kind),
    }


def _about(model: LoadedModel) -> dict[str, Any]:
    return describe(model.name, model.bundle, model.predictors[0]) | _proven(model.selftest)


def _proven(found: SelfTest) -> dict[str, Any]:
    """Return the part of `schemas.ModelBody` that a self-test gives."""
    return {
        "selftest": {
            "outcome": found.outcome,
            "why": found.why,
            "seconds": round(found.seconds, 3),
            "inputs": found.inputs,
            "largest": found.largest,
        }
    }
