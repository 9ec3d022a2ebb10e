"""Scorecard: every figure of an evaluation with its interval, beside the trivial baseline; JSON on disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vesalius.core.disk import write_text
from vesalius.core.errors import FormatError
from vesalius.core.interval import Interval as Interval
from vesalius.core.numbers import finite
from vesalius.core.shown import Shown, cut, some
from vesalius.core.subgroups import Subgroups
from vesalius.core.subgroups import parse as parse_subgroups
from vesalius.core.words import counted

VERSION = 1


@dataclass(frozen=True, slots=True)
class Banner:
    """A whole sentence that must be read before the figures, and its kind: `hardly trained`, `never called`, …"""

    kind: str
    text: str


@dataclass(frozen=True)
class Scorecard(Shown):
    """How good the answers to one split are, and what is needed to believe it.

    `metrics` and `baseline` hold the same names, `dice` over labels and `dice/liver` for one; `baseline_is` says
    which trivial answer that was. `excluded` counts what was left out, by reason. `curves` are what a report
    draws. `cases` has a mapping a case, with its id: `nameless` drops them for the Bundle. `banners` come before
    every figure; cards of before have none. `patients` says by a case's id whose it is, where that is known, so that
    two cards can be compared by patient. `overlap` says what is known of training cases among those scored, and
    `left_out` counts those that were therefore not scored. `clinical` is what a clinician's part of the report shows,
    as the kind of answer has it, and `colours` are those of labels, by name; cards of before have neither. `selective`
    says what becomes of the error where the least sure answers are left out, `promise` how what was promised turned
    out, `withheld` what became of answers that are withheld, `novelty` how many cases raised the bundle's alarm
    (`evaluate/strange.py`), and `subgroups` are figures by group, a grouping each, and what a test says of their gaps;
    `sources` says what each source of a model that joins several adds (`evaluate/adding.py`); cards of before have none
    of them. `experts` says whether the model is as good as one more expert, where single experts' words are known
    (`evaluate/among.py`), `rivals` how good other ways to answer are on the same cases (`evaluate/rivals.py`).
    `places` says how well a field that an answer brings shows where something is (`evaluate/places.py`).
    `energy` is what the work behind the figures took, by its name: `training` and `scoring` of a run, `answering` of an
    evaluation (`plan/tariff.py`); two cards of the same figures are equal whatever they took.
    `unit` is that of the answers, and `units` are those of single labels, where each is a number of its own.
    """

    answer: str
    split: str
    n_patients: int
    n_cases: int
    patients_known: bool
    data_hash: str
    bundle: str
    metrics: Mapping[str, Interval]
    baseline: Mapping[str, Interval] = field(default_factory=dict)
    baseline_is: str = ""
    target: str | None = None
    labels: tuple[str, ...] = ()
    unit: str | None = None
    positive: str | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    tolerance_mm: float | None = None
    tolerance_px: float | None = None
    resamples: int = 1000
    seed: int = 0
    excluded: Mapping[str, int] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)
    cases: tuple[Mapping[str, Any], ...] = ()
    version: int = VERSION
    banners: tuple[Banner, ...] = ()
    overlap: str = ""
    left_out: int = 0
    clinical: Mapping[str, Any] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)
    patients: Mapping[str, str] = field(default_factory=dict)
    selective: Mapping[str, Any] = field(default_factory=dict)
    promise: Mapping[str, Any] = field(default_factory=dict)
    withheld: Mapping[str, Any] = field(default_factory=dict)
    novelty: Mapping[str, Any] = field(default_factory=dict)
    subgroups: tuple[Subgroups, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, Any] = field(default_factory=dict)
    experts: Mapping[str, Any] = field(default_factory=dict)
    rivals: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Any] = field(default_factory=dict)
    energy: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, compare=False)

    def unit_of(self, metric: str) -> str:
        """Return the unit of the numbers that a metric speaks of, `mae` or `mae/volume`; empty where they have none."""
        return self.units.get(metric.partition("/")[2]) or self.unit or ""

    def _words(self) -> Iterable[str]:
        yield f"{self.answer} of split '{cut(self.split, 20)}'"
        yield counted(self.n_cases, "case") + (
            f" of {counted(self.n_patients, 'patient')}" if self.patients_known else ""
        )
        overall = {name: found for name, found in self.metrics.items() if "/" not in name}
        yield some((f"{name} {found}" for name, found in overall.items()), len(overall), 3)
        if self.banners:
            yield f"banners: {some((b.kind for b in self.banners), len(self.banners))}"


def nameless(card: Scorecard) -> Scorecard:
    """Return the same without what is said of single cases, and without what the work took.

    The first has no place in a bundle; the second would make two bundles of one plan differ.
    """
    return replace(card, cases=(), patients={}, energy={})


def as_json(card: Scorecard) -> str:
    """JSON text; what is not finite becomes null."""
    return json.dumps(finite(asdict(card)), indent=1, allow_nan=False) + "\n"


def save_scorecard(card: Scorecard, path: Path | str) -> None:
    """Write `scorecard.json`, whole or not at all. Raises OutputError."""
    write_text(Path(path), as_json(card))


def load_scorecard(path: Path | str) -> Scorecard:
    """Read what `save_scorecard` wrote. Raises FormatError."""
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] > VERSION:
            raise FormatError(
                f"{path} is of version {data['version']}, newer than this Vesalius reads ({VERSION})",
                hint="a newer Vesalius",
            )
        for name in ("metrics", "baseline"):
            data[name] = {k: Interval(**v) for k, v in data[name].items()}
        data["labels"], data["cases"] = tuple(data["labels"]), tuple(data["cases"])
        data["subgroups"] = tuple(map(parse_subgroups, data.get("subgroups", ())))
        data["banners"] = tuple(Banner(**b) for b in data.get("banners", ()))
        return Scorecard(**data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{path} is not a scorecard", found=f"{type(error).__name__}: {error}") from error
