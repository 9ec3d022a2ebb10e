"""open: a run or a bundle of an earlier session, as `fit` returned it."""

from __future__ import annotations

from pathlib import Path

from vesalius.core.bundle import Bundle
from vesalius.run.finished import Run, opened


def open(path: Path | str) -> Run | Bundle:
    """Return the run at a path as `fit` returned it, with its bundle; of a bundle that lies alone, the bundle.

    Every byte of the bundle is checked against its manifest.

    Args:
        path: The folder of a run, the `scorecard.json` or the `report.html` in it, or a bundle.

    Returns:
        The run, whose model is `Run.bundle`; or the bundle.

    Raises:
        DataError: There is nothing at the path.
        BundleError: It is neither a run nor a bundle, or it is damaged, or the run is not finished.
    """
    return opened(path)
