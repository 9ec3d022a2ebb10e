"""Files of other packages that show their kinds of answer in the viewer, found by entry points in `vesalius.viewer`.

An entry point's name is the kind of answer in lower case, and its value the package in whose folder that name's script
lies: `gaze = "otherlab.viewer"` stands for `otherlab/viewer/gaze.js`. The page imports it when it shows such an answer.
"""

from __future__ import annotations

import importlib.util
import logging
import re
from importlib import metadata
from pathlib import Path

GROUP = "vesalius.viewer"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LOG = logging.getLogger("vesalius.serve")


def scripts() -> dict[str, Path]:
    """Return the scripts of other packages by the kind of answer that they show, in lower case.

    A name that is no kind's, or a script that is not there, is left out with a warning in the service's log: such
    answers are then shown by their columns.
    """
    found: dict[str, Path] = {}
    for point in metadata.entry_points(group=GROUP):
        path = _script(point.name, point.value)
        if path is None:
            _LOG.warning(
                "the viewer takes nothing from the entry point %s = %s: there is no %s.js in that package's folder",
                point.name, point.value, point.name,
            )  # fmt: skip
        else:
            found.setdefault(point.name, path)
    return found


def _script(name: str, package: str) -> Path | None:
    """Return where a package's script lies; None where it does not."""
    try:
        spec = importlib.util.find_spec(package) if _NAME.fullmatch(name) else None
    except (ImportError, ValueError):
        return None
    folders = (spec.submodule_search_locations or ()) if spec else ()
    return next((p for p in (Path(folder) / f"{name}.js" for folder in folders) if p.is_file()), None)
