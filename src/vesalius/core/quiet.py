"""Libraries kept from writing values of files and requests that they read, which may be a patient's, into logs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_TALKATIVE = ("pydicom", "PIL", "nibabel.global", "tifffile", "highdicom", "python_multipart")


@contextmanager
def quiet(libraries: Sequence[str] = _TALKATIVE) -> Iterator[None]:
    """While it lasts, they log nothing, and no warning is shown."""
    loggers = [logging.getLogger(name) for name in libraries]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
