"""The report: what was done to what, in numbers and the standard's words; no value and no name of the originals."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

from vesalius.core.disk import write_text
from vesalius.core.version import VERSION
from vesalius.deidentify._table import EDITION
from vesalius.deidentify.key import Key
from vesalius.deidentify.names import Journal, alias
from vesalius.deidentify.options import OPTIONS, Settings

NAME = "deidentify.json"
PAGE = "deidentify.html"
ACTIONS = {
    "X": "removed",
    "Z": "emptied",
    "D": "replaced by a dummy",
    "U": "replaced by another UID",
    "C": "cleaned",
    "K": "kept",
    "pseudonym": "replaced by a pseudonym",
    "swept": "identifiers in it removed",
    "blackened": "blacked out",
}
LIMITS = (
    "What a person can see or infer is not all in attributes: look at pictures, and at free text, before publishing.",
    "The key and the list of names undo this: keep them apart from the copies, as you keep the originals.",
)


def write(out: Path, journal: Journal, key: Key, settings: Settings, *, complete: bool) -> None:
    """Write `deidentify.json` and, of a run that is complete, `deidentify.html`. Raises OutputError."""
    made = build(journal, key, settings, complete=complete)
    write_text(out / NAME, json.dumps(made, indent=2, ensure_ascii=False) + "\n")
    if complete:
        write_text(out / PAGE, render(made))


def build(journal: Journal, key: Key, settings: Settings, *, complete: bool) -> dict[str, Any]:
    """Return the report as plain data."""
    entries = list(journal.entries.values())
    times: Counter[tuple[str, str, str]] = Counter()
    files: Counter[tuple[str, str, str]] = Counter()
    notes: Counter[str] = Counter()
    for entry in entries:
        for (what, action), n in entry.counts.items():
            times[entry.kind, what, action] += n
            files[entry.kind, what, action] += 1
        notes.update(entry.notes)
    return {
        "software": f"vesalius {VERSION}",
        "standard": f"DICOM PS3.15 {EDITION}, Annex E",
        "complete": complete,
        "profile": settings.profile,
        "options": {name: OPTIONS[name].says for name in settings.options},
        "key": key.fingerprint,
        "files": dict(Counter(e.kind for e in entries if e.out is not None)),
        "written": sorted(e.out for e in entries if e.out is not None),
        "set_aside": [
            {"file": alias(PurePosixPath(e.source), key), "kind": e.kind, "reason": e.reason}
            for e in entries
            if e.reason
        ],
        "actions": [
            {
                "kind": k,
                "what": what,
                "action": ACTIONS.get(action, action),
                "times": times[k, what, action],
                "files": n,
            }
            for (k, what, action), n in sorted(files.items())
        ],
        "notes": dict(notes),
        "limits": list(LIMITS),
    }


def render(made: dict[str, Any]) -> str:
    """Return the report as one self-contained page."""
    from jinja2 import Environment, FileSystemLoader, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("deidentify.html.j2").render(r=made)


def unfinished(out: Path) -> bool:
    """Return whether a folder holds a run that was interrupted."""
    try:
        return json.loads((out / NAME).read_text(encoding="utf-8"))["complete"] is False
    except (OSError, ValueError, KeyError, TypeError):
        return False
