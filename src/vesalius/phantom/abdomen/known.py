"""KnownPatient: all that is known of a patient of the abdominal CT without a pixel, and its row of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vesalius.core.case import Case, Event, Target
from vesalius.phantom.abdomen.design import Design
from vesalius.phantom.abdomen.lesions import Lesion
from vesalius.phantom.abdomen.person import Diagnosis, Person
from vesalius.phantom.abdomen.report import Finding
from vesalius.phantom.abdomen.survival import Outcome
from vesalius.phantom.contract import Row

Clinic = Literal["full", "bare"]
CLINICS: tuple[Clinic, ...] = ("full", "bare")


@dataclass(frozen=True, eq=False, kw_only=True)
class KnownPatient:
    """A patient whose truth is known, with or without a scan.

    `without` names the finding that a twin was made without, `days` are those since the first visit. The `bare` clinic
    is age, sex and arm: it lacks the BMI, the stage, the marker and the report, which tell what the image does.
    """

    id: str
    patient: str
    seed: int
    index: int
    diagnosis: Diagnosis
    person: Person
    lesion_facts: tuple[Lesion, ...]
    outcome: Outcome
    findings: tuple[Finding, ...]
    report: Mapping[str, str]
    design: Design
    clinic: Clinic = "full"
    without: str | None = None
    days: int = 0

    @property
    def covariates(self) -> dict[str, float | str | None]:
        """Return what is known before the treatment's effect: age, sex, BMI, stage, marker, treatment."""
        known: dict[str, float | str | None] = {"age": self.person.age_years, "sex": self.person.sex}
        if self.clinic == "full":
            known |= {
                "bmi": self.person.bmi,
                "tumour_stage": float(self.outcome.stage),
                "marker": self.outcome.marker,
            }
        return known | (
            {"arm": self.outcome.arm} if self.by_name else {"treatment": float(self.outcome.treated)}
        )

    @property
    def by_name(self) -> bool:
        """Whether the table has a column `arm` of names, and none that says `treatment` by 0 and 1."""
        return self.clinic == "bare" or len(self.design.names) > 2

    @property
    def report_text(self) -> str:
        """Return the report as one string in which each section begins with its name."""
        return " ".join(f"{name.upper()}: {text}" for name, text in self.report.items())

    @property
    def events(self) -> dict[str, Target]:
        """Return the times to events: `survival`, and `dfs` (without progression) where it is known."""
        outcome = self.outcome
        found: dict[str, Target] = {
            "survival": Event(outcome.time_days, outcome.event, outcome.cause, outcome.entry_days)
        }
        if outcome.progression is not None:
            other = outcome.progression
            found["dfs"] = Event(other.time_days, other.event, None, outcome.entry_days)
        return found

    def row(self, files: Row) -> Row:
        """Return the patient's row of cohort.csv, `files` among it."""
        outcome, progression = self.outcome, self.outcome.progression
        told: Row = dict(self.covariates)
        if "tumour_stage" in told:
            told["tumour_stage"] = outcome.stage
        if "treatment" in told:
            told["treatment"] = int(outcome.treated)
        row: Row = {"case": self.id, "patient": self.patient, **files, "class": self.diagnosis, **told}
        row |= {
            "time_days": outcome.time_days,
            "event": (outcome.cause or "alive") if self.design.competes else int(outcome.event),
        }
        if outcome.entry_days is not None:
            row["entry_days"] = outcome.entry_days
        if progression is not None:
            row |= {"dfs_days": progression.time_days, "dfs_event": int(progression.event)}
        return row if self.clinic == "bare" else row | {"report": self.report_text}

    def as_case(self) -> Case:
        """Return a Case without an image: targets `class` and `survival`."""
        return Case(
            self.id,
            {},
            patient=self.patient,
            targets={"class": self.diagnosis, **self.events},
            covariates=self.covariates,
            report=None if self.clinic == "bare" else self.report_text,
        )

    def truth(self) -> dict[str, Any]:
        """Return all that is known, as plain JSON values; positions are LPS mm."""
        return {
            "id": self.id,
            "patient": self.patient,
            "class": self.diagnosis,
            "covariates": self.covariates,
            "lesions": [self._lesion_truth(k) for k in range(len(self.lesion_facts))],
            "report": dict(self.report),
            "outcome": outcome_truth(self.outcome, self.design),
        }

    def _lesion_truth(self, k: int, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
        lesion = self.lesion_facts[k]
        return {
            "kind": lesion.kind,
            "centre_mm_lps": list(lesion.centre_mm),
            "diameter_mm": round(2 * lesion.radius_mm, 3),
            "nominal_ml": round(lesion.nominal_ml, 3),
            **(more or {}),
            "core_hu": lesion.core_hu,
            "rim_hu": lesion.rim_hu,
            "segment": self.findings[k].segment,
        }


def outcome_truth(outcome: Outcome, design: Design) -> dict[str, Any]:
    """Return what is known of an outcome, as plain JSON values."""
    two = len(design.names) == 2
    found: dict[str, Any] = {
        "stage": outcome.stage,
        "burden": round(outcome.burden, 9),
        "eta": round(outcome.eta, 9),
        "theta": round(outcome.theta, 9) if two else rounded(outcome.effects),
        "propensity": round(outcome.propensity, 9) if two else rounded(outcome.propensities),
        **({"treated": outcome.treated} if two else {"arm": outcome.arm}),
        "potential_days": rounded(outcome.potential_days, 3),
        "censoring_days": round(outcome.censoring_days, 3),
        "time_days": outcome.time_days,
        "event": outcome.event,
        "survival": _curves(outcome.curves),
    }
    if outcome.entry_days is not None:
        found["entry_days"] = outcome.entry_days
    if outcome.eta_other is not None and outcome.incidence is not None:
        found |= {"cause": outcome.cause, "eta_other": round(outcome.eta_other, 9)}
        found["incidence"] = {arm: _curves(by) for arm, by in outcome.incidence.items()}
    if outcome.progression is not None:
        other = outcome.progression
        found["dfs"] = {
            "log_hazard_of_progression": rounded(other.log_hazards),
            "potential_days": rounded(other.potential_days, 3),
            "time_days": other.time_days,
            "event": other.event,
            "survival": _curves(other.curves),
        }
    return found


def rounded(values: Mapping[str, float], digits: int = 9) -> dict[str, float]:
    """Return numbers by name, rounded."""
    return {name: round(value, digits) for name, value in values.items()}


def _curves(curves: Mapping[str, Any]) -> dict[str, list[float]]:
    return {name: [round(float(s), 9) for s in curve] for name, curve in curves.items()}
