"""What a predict is told, kept in its folder while it is filled, so that it can be gone on with alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PredictSettings:
    """What to read, how to answer and what to write; the folder keeps it, so that a predict is resumed alike."""

    json: bool = False
    overlays: bool = False
    dicom: bool = False
    also: tuple[str, ...] = ()
    mirror: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    covariates: Mapping[str, float | str] = field(default_factory=dict)
    layout: str | None = None
    accept_mismatch: bool = False
    doubt: str | None = None
    samples: int | None = None
    refuse_unlike: bool = False
    guard: str | None = None  # the path of a bundle that looks at each case first
    guard_hash: str | None = None
    words: tuple[str, ...] = ()
    guidance: Mapping[str, Any] = field(default_factory=dict)  # strokes by case id, as JSON takes them
    runtime: str | None = None  # None and `auto` leave the choice to what is measured

    def completed(self, before: Mapping[str, Any]) -> PredictSettings:
        """Return what is told now, and where nothing is, what was told when the folder was begun."""
        return replace(
            self,
            json=self.json or before.get("json", False),
            overlays=self.overlays or before.get("overlays", False),
            dicom=self.dicom or before.get("dicom", False),
            also=self.also or tuple(before.get("also", ())),
            mirror=self.mirror or tuple(before.get("mirror", ())),
            columns=self.columns or before.get("columns", {}),
            covariates=self.covariates or before.get("covariates", {}),
            layout=self.layout or before.get("layout"),
            accept_mismatch=self.accept_mismatch or before.get("accept_mismatch", False),
            doubt=self.doubt or before.get("doubt"),
            samples=self.samples or before.get("samples"),
            refuse_unlike=self.refuse_unlike or before.get("refuse_unlike", False),
            guard=self.guard or before.get("guard"),
            words=self.words or tuple(before.get("words", ())),
            guidance=self.guidance or before.get("guidance", {}),
            runtime=before.get("runtime", "torch") if self.runtime in (None, "auto") else self.runtime,
        )

    def mark(self, bundle: str) -> dict[str, Any]:
        """Return what all answers of one folder depend on, with the hash of the bundle, as JSON holds it."""
        doubt = {"doubt": self.doubt, "samples": self.samples} if self.doubt is not None else {}
        return {
            "bundle": bundle,
            "json": self.json,
            "overlays": self.overlays,
            "dicom": self.dicom,
            "also": list(self.also),
            "mirror": list(self.mirror),
            "columns": dict(self.columns),
            "covariates": dict(self.covariates),
            "layout": self.layout,
            "accept_mismatch": self.accept_mismatch,
            **doubt,  # folders of before, and those without it, say nothing of it
            **({"refuse_unlike": True} if self.refuse_unlike else {}),
            **({"guard": self.guard, "guard_hash": self.guard_hash} if self.guard else {}),
            **({"words": list(self.words)} if self.words else {}),
            **({"guidance": dict(self.guidance)} if self.guidance else {}),
            "runtime": self.runtime or "torch",
        }
