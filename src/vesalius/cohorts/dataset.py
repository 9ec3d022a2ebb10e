"""Items of a torch Dataset, written once by `vs.cohort_from_dataset`: a head, a line a case, a file an image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts._spooled import HEAD, LINES, VERSION
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case, Ref, Target
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import FormatError
from vesalius.core.words import counted

NOTE = "no geometry is known of these items but what was told of them: measures are in pixels without it"


def detect(root: Path) -> Detection | None:
    """Return that it is one, by its head."""
    return Detection(1.0, f"it has a {HEAD}") if (root / HEAD).is_file() else None


def read(root: Path, *, options: Options) -> Cohort:
    """Read one case a line. Raises FormatError where head or lines are damaged."""
    try:
        head = json.loads((root / HEAD).read_text(encoding="utf-8"))
        if head["version"] > VERSION:
            raise FormatError(f"{root / HEAD} is of version {head['version']}", hint="a newer Vesalius")
        infos = {name: _info(name, told) for name, told in head["targets"].items()}
        with (root / LINES).open(encoding="utf-8") as lines:
            cases = tuple(_case(root, json.loads(line), infos) for line in lines)
        if len(cases) != head["cases"]:
            raise FormatError(
                f"{root / LINES} is not whole", found=f"{len(cases)} of {counted(int(head['cases']), 'line')}"
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{root} is damaged", found=f"{type(error).__name__}: {error}"[:120]) from error
    notes = () if head.get("placed") else (NOTE,)
    return Cohort(root=root, layout="dataset", cases=cases, targets=infos, notes=notes)


def _info(name: str, told: Mapping[str, Any]) -> TargetInfo:
    labels = tuple(Label(int(value), str(text)) for value, text in told["labels"])
    return TargetInfo(name, str(told["kind"]), labels, str(told["reason"]))


def _case(root: Path, line: Mapping[str, Any], infos: Mapping[str, TargetInfo]) -> Case:
    return Case(
        id=str(line["case"]),
        images={"image": Ref((root / str(line["image"]),))},
        patient=None if line["patient"] is None else str(line["patient"]),
        targets={name: _target(root, value, infos[name].kind) for name, value in line["targets"].items()},
        split=line["split"],
    )


def _target(root: Path, value: Any, kind: str) -> Target:
    """Return a target as it was written: the file of what is drawn, or what its kind made JSON of."""
    if isinstance(value, Mapping):
        return Ref((root / str(value["file"]),))
    return kinds.of(kind).of_json(value)
