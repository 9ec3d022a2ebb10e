"""The report of a chest film, made from its truth and from nothing else; the wording varies, the content does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vesalius.phantom.thorax.body import SIDES, Person
from vesalius.phantom.thorax.findings import FINDINGS, Finding

Choose = Callable[..., str]
SIZES = ("small", "moderate", "large")
DEGREES = ("mildly", "moderately", "markedly")
COURSES = {"new": 0.4, "unchanged": 0.35, "larger": 0.25}  # of what is there, since an earlier film
EARLIER, RESOLVED = (
    0.45,
    0.12,
)  # shares: of films with an earlier one, of what is absent now and was there then


def draw_courses(random: np.random.Generator, present: Sequence[str]) -> dict[str, str] | None:
    """Return how each finding went since an earlier film, or None where there is none: new, unchanged, larger, gone.

    What is absent now and was absent then is not named.
    """
    earlier = random.random() < EARLIER
    drawn = {
        name: (float(random.random()), str(random.choice(list(COURSES), p=list(COURSES.values()))))
        for name in FINDINGS
    }
    if not earlier:
        return None
    found = {name: course for name, (_, course) in drawn.items() if name in present}
    gone = {name: "gone" for name, (u, _) in drawn.items() if name not in present and u < RESOLVED}
    return {name: (found | gone)[name] for name in FINDINGS if name in found or name in gone}


def write_report(
    random: np.random.Generator,
    person: Person,
    findings: Sequence[Finding],
    courses: Mapping[str, str] | None,
) -> dict[str, str]:
    """Return sections `indication`, `technique`, `comparison`, `findings` and `impression`."""

    def choose(*words: str) -> str:
        return words[int(random.integers(len(words)))]

    present = {f.label for f in findings}
    lines = [_one(f, findings, (courses or {}).get(f.label), choose) for f in findings]
    lines += [_gone(name, choose) for name, course in (courses or {}).items() if course == "gone"]
    lines += _absent([n for n in FINDINGS if n not in present and (courses or {}).get(n) != "gone"], choose)
    if person.age > 65 and random.random() < 0.5:
        lines.append(choose("Degenerative change of the spine.", "The aorta is tortuous."))
    view = "Posteroanterior" if person.view == "PA" else "Anteroposterior"
    noun = "woman" if person.sex == "F" else "man"
    reason = choose("cough", "shortness of breath", "fever", "chest pain", "preoperative assessment")
    return {
        "indication": f"{int(person.age)}-year-old {noun}, {reason}.",
        "technique": choose(f"{view} view of the chest.", f"Chest radiograph, {person.view} projection."),
        "comparison": "None."
        if courses is None
        else choose("Earlier radiograph.", "Prior chest radiograph."),
        "findings": " ".join(lines),
        "impression": _impression(findings, courses or {}, choose),
    }


def _where(finding: Finding) -> str:
    return f"{SIDES[finding.side]} {finding.zone} zone"


def _one(finding: Finding, all_of: Sequence[Finding], course: str | None, choose: Choose) -> str:
    """Return the sentence of one finding; how it went since is said of its label's first only."""
    size, side = SIZES[finding.degree - 1], SIDES.get(finding.side, "")
    first = next(f for f in all_of if f.label == finding.label) is finding
    said = _course(course, choose) if first and course else ""
    if finding.label == "nodule":
        wide = round(finding.amount)
        text = choose(
            f"A {wide} mm nodule in the {_where(finding)}",
            f"Nodular opacity in the {_where(finding)}, {wide} mm in diameter",
            f"There is a rounded {wide} mm opacity in the {_where(finding)}",
        )
    elif finding.label == "consolidation":
        text = choose(
            f"{size.capitalize()} area of consolidation in the {_where(finding)}",
            f"Patchy airspace opacity in the {_where(finding)}, {size} in extent",
        )
    elif finding.label == "effusion":
        text = choose(
            f"{size.capitalize()} {side} pleural effusion",
            f"There is a {size} pleural effusion on the {side}",
        )
    elif finding.label == "pneumothorax":
        text = choose(
            f"{size.capitalize()} {side} pneumothorax", f"A {size} pneumothorax is seen on the {side}"
        )
    else:
        degree = DEGREES[finding.degree - 1]
        text = choose(
            f"The heart is {degree} enlarged, with a cardiothoracic ratio of {finding.amount:.2f}",
            f"{degree.capitalize()} enlarged cardiac silhouette",
        )
    return f"{text}{said}."


def _course(course: str, choose: Choose) -> str:
    return {
        "new": choose(", new since the earlier study", ", not present before"),
        "unchanged": choose(", unchanged", ", stable since the earlier study"),
        "larger": choose(", increased since the earlier study", ", larger than before"),
    }[course]


def _gone(name: str, choose: Choose) -> str:
    word = _NOUNS[name]
    return choose(
        f"The previously seen {word} has resolved.", f"Resolution of the {word} since the earlier study."
    )


_NOUNS = {
    "nodule": "nodule",
    "consolidation": "consolidation",
    "effusion": "pleural effusion",
    "pneumothorax": "pneumothorax",
    "cardiomegaly": "cardiac enlargement",
}


def _absent(names: Sequence[str], choose: Choose) -> list[str]:
    """Return sentences that say of findings that they are not there, each once."""
    lines = []
    if "cardiomegaly" in names:
        lines.append(
            choose("The heart is normal in size.", "Heart size within normal limits.", "No cardiomegaly.")
        )
    pleura = [_NOUNS[n] for n in ("effusion", "pneumothorax") if n in names]
    if pleura:
        lines.append(choose(f"No {' or '.join(pleura)}.", f"There is no evidence of {' or '.join(pleura)}."))
    lungs = [n for n in ("consolidation", "nodule") if n in names]
    if len(lungs) == 2:
        lines.append(choose("The lungs are clear.", "No consolidation or nodule.", "No focal lung opacity."))
    elif lungs:
        lines.append(
            choose(
                f"No {lungs[0]}.",
                f"Without evidence of a {lungs[0]}." if lungs[0] == "nodule" else "No consolidation is seen.",
            )
        )
    return lines


def _impression(findings: Sequence[Finding], courses: Mapping[str, str], choose: Choose) -> str:
    if not findings:
        gone = [_NOUNS[n] for n, course in courses.items() if course == "gone"]
        end = f" Resolved {gone[0]}." if gone else ""
        return choose("No acute cardiopulmonary abnormality.", "Normal chest radiograph.") + end
    words = []
    for name in FINDINGS:
        own = [f for f in findings if f.label == name]
        if not own:
            continue
        worst = max(own, key=lambda f: f.degree)
        sides = list(dict.fromkeys(SIDES[f.side] for f in own if f.side))
        where = f"{' and '.join(sides)} " if sides else ""
        if name == "nodule":
            words.append(f"{where}lung nodule{'s' * (len(own) > 1)}")
        elif name == "cardiomegaly":
            words.append(f"{('mild', 'moderate', 'marked')[worst.degree - 1]} cardiomegaly")
        else:
            words.append(f"{SIZES[worst.degree - 1]} {where}{_NOUNS[name]}")
    return ". ".join(w[0].upper() + w[1:] for w in words) + "."
