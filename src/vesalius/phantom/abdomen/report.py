"""Report: the text a radiologist would dictate, made from the findings and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from vesalius.phantom.abdomen.anatomy import Anatomy
from vesalius.phantom.abdomen.lesions import Kind, Lesion
from vesalius.phantom.abdomen.person import Diagnosis, Person

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NUMBERS = dict(enumerate(WORDS, start=1))
STEATOTIC_HU = 100.0
ECTATIC_MM = 22.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One lesion as the report words it: what, in which Couinaud segment, how wide in whole mm, how dense."""

    kind: Kind
    segment: str
    diameter_mm: int
    core_hu: int


def findings_of(lesions: tuple[Lesion, ...], anatomy: Anatomy) -> tuple[Finding, ...]:
    """Return the findings, in the order of the lesions."""
    return tuple(
        Finding(one.kind, segment_of(one, anatomy), round(2 * one.radius_mm), round(one.core_hu))
        for one in lesions
    )


def segment_of(lesion: Lesion, anatomy: Anatomy) -> str:
    """Return the Couinaud segment, schematically: by the middle and left hepatic planes and the portal level.

    In the atlas: left of x = +4 is II (upper) or III; between it and x = −36, in front, is IV; the right lobe is
    V and VIII in front, VI and VII behind, the lower of each pair below the right lobe's centre.
    """
    x, y, z = anatomy.atlas(np.array(lesion.centre_mm).reshape(3, 1)).ravel()
    upper = z > anatomy.liver_right.centre[2]
    if x > 4:
        return "II" if z > anatomy.liver_left.centre[2] else "III"
    if x > -36 and y < anatomy.liver_right.centre[1]:
        return "IV"
    if y < anatomy.liver_right.centre[1]:
        return "VIII" if upper else "V"
    return "VII" if upper else "VI"


def write_report(
    rng: np.random.Generator,
    person: Person,
    *,
    diagnosis: Diagnosis,
    findings: tuple[Finding, ...],
    liver_hu: float,
    aorta_mm: float,
) -> Mapping[str, str]:
    """Return sections `indication`, `technique`, `findings`, `impression`; the wording varies, the content does not."""

    def one_of(*choices: str) -> str:
        return choices[int(rng.integers(len(choices)))]

    liver = [one_of("The liver is normal in size.", "Liver of normal size and contour.")]
    if liver_hu < STEATOTIC_HU:
        liver.append(one_of("Its attenuation is reduced, in keeping with steatosis.", "Hepatic steatosis."))
    if not findings:
        liver.append(one_of("No focal liver lesion.", "There is no focal lesion in the liver."))
    for finding in findings:
        liver.append(_sentence(finding, one_of))
    rest = [
        one_of("Spleen and kidneys are unremarkable.", "The spleen and both kidneys appear normal."),
        f"The aorta is ectatic, {round(2 * aorta_mm)} mm in diameter."
        if 2 * aorta_mm > ECTATIC_MM
        else one_of("The aorta is of normal calibre.", "Normal calibre of the abdominal aorta."),
        one_of("No bone lesion.", "The skeleton shows no focal lesion."),
    ]
    noun = "woman" if person.sex == "F" else "man"
    reason = one_of("upper abdominal pain", "staging", "abnormal liver tests")
    return {
        "indication": f"{int(person.age_years)}-year-old {noun}, {reason}.",
        "technique": "CT of the abdomen in the portal venous phase.",
        "findings": " ".join(liver + rest),
        "impression": _impression(diagnosis, findings),
    }


def _sentence(finding: Finding, choose: Callable[..., str]) -> str:
    where = f"in segment {finding.segment}"
    if finding.kind == "cyst":
        what = choose("smooth, sharply defined hypodense lesion", "simple cyst with a smooth border")
        return f"A {finding.diameter_mm} mm {what} {where}, {finding.core_hu} HU, without enhancement."
    what = choose("irregular, rim-enhancing lesion", "ill-defined mass with an enhancing rim")
    return f"A {finding.diameter_mm} mm {what} {where}, its centre {finding.core_hu} HU."


def _impression(diagnosis: Diagnosis, findings: tuple[Finding, ...]) -> str:
    cysts = sum(f.kind == "cyst" for f in findings)
    masses = sum(f.kind == "malignant" for f in findings)
    if diagnosis == "normal":
        return "No focal liver lesion."
    simple = f"{NUMBERS[cysts].capitalize()} simple liver cyst{'s' * (cysts > 1)}." if cysts else ""
    if diagnosis == "cyst":
        return simple
    noun = "lesions" if masses > 1 else "lesion"
    largest = max(f.diameter_mm for f in findings if f.kind == "malignant")
    text = f"{NUMBERS[masses].capitalize()} malignant liver {noun}, up to {largest} mm."
    return f"{text} {simple}".strip()
