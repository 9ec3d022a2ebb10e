"""What a layout reports about a path, and the options that a user gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vesalius.core import registry

ROLES = (  # of no target
    "image", "id", "patient", "split", "covariate", "report", "region", "view", "group", "text", "prompts", "course",
    "visit", "expert",
)  # fmt: skip
SPARE = "set aside: "  # how a note begins that names a file of which no image is made, and why
LEFT = (SPARE, "not images: ")
AXES = "course_axes"  # a role that says how arrays of time courses stand, `TF` or `FT`, and names no column
FEATURES = "features"  # a role that names tables of features, and no column (see `_features.py`)
HEADINGS = "headings"  # a role that names a file of reports' headings, and no column (see `_reports.py`)
UNORDERED = "none"  # said of views: the images of a case have no order, and nothing tells them apart
CONSENSUS = "consensus"  # how a column is called in which several experts say something together
ONE_EXPERT = r"expert[ _.-]+(\S.*)"  # and one in which a single expert does, by name
UNUSED = "not used: "  # how a note begins that says why a table in the folder was not


@dataclass(frozen=True, slots=True)
class Detection:
    """A layout's confidence, 0 to 1, that a path follows it, and a one-line reason."""

    confidence: float
    reason: str


@dataclass(frozen=True, slots=True)
class Options:
    """What the user said about the data: the target's name, which column (or pattern) has which role, and what words
    among the labels stand for (`{"benign": "Benign", "NA": ""}`; nothing where the label is not known)."""

    target: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def imageless(self) -> bool:
        """Return whether the user said that no column names images: `{"image": ""}`."""
        return self.columns.get("image") == ""

    @property
    def unordered(self) -> bool:
        """Return whether the user said that nothing tells the images of a case apart: `{"view": "none"}`."""
        return self.columns.get("view", "").strip().casefold() == UNORDERED


def target_roles() -> dict[str, tuple[str, ...]]:
    """Return the roles of columns that hold targets, each with all roles of its kinds, as targets are listed."""
    files = [registry.literals("cohorts.targets", stem) for stem in registry.stems("cohorts.targets")]
    files = sorted((text for text in files if text.get("ROLES")), key=lambda text: text.get("ORDER", 100))
    return {text["ROLES"][0]: tuple(text["ROLES"]) for text in files}


def called() -> dict[str, str]:
    """Return how columns that hold targets are called, as a pattern by role, as far as the kinds' files say it."""
    found: dict[str, list[str]] = {}
    for stem in registry.stems("cohorts.targets"):
        text = registry.literals("cohorts.targets", stem)
        said = text.get("CALLED", {})
        for role, pattern in ({text["ROLES"][0]: said} if isinstance(said, str) else said).items():
            found.setdefault(role, []).append(f"(?:{pattern})")
    return {role: "|".join(patterns) for role, patterns in found.items()}


def file_called() -> dict[str, str]:
    """Return those of the patterns of `called` whose kinds say `FILES = True`: their cells may name files."""
    files = [registry.literals("cohorts.targets", stem) for stem in registry.stems("cohorts.targets")]
    return {str(text["ROLES"][0]): str(text["CALLED"]) for text in files if text.get("FILES")}


def hows() -> tuple[str, ...]:
    """Return the roles that say how something is written, and not which column holds it."""
    found = (
        registry.literals("cohorts.targets", stem).get("HOW") for stem in registry.stems("cohorts.targets")
    )
    return (*(str(role) for role in found if role), AXES, FEATURES, HEADINGS)


def known_roles() -> tuple[str, ...]:
    """Return every role that a column may have."""
    return tuple(
        dict.fromkeys((*ROLES, *(role for roles in target_roles().values() for role in roles), *hows()))
    )
