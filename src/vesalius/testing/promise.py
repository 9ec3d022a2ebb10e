"""A promise that is broken is one AssertionError with one plain sentence."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vesalius.plan import torch_threads


def require(kept: object, broken: str) -> None:
    """Raise AssertionError with the sentence `broken` unless `kept` is true."""
    if not kept:
        raise AssertionError(broken)


@contextmanager
def promised(what: str) -> Iterator[None]:
    """Raise AssertionError in place of any error inside this block; its sentence begins with `what`."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"{what}, but it raised {type(error).__name__}: {error}") from error


@contextmanager
def workplace(folder: Path | str | None) -> Iterator[Path]:
    """Give a folder to work in: the one named, or a temporary one; torch's threads are put back at the end."""
    with torch_threads.only(0):
        if folder is not None:
            path = Path(folder)
            path.mkdir(parents=True, exist_ok=True)
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="vesalius-check-") as temporary:
            yield Path(temporary)
