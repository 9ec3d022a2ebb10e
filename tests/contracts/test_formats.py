"""Every format in the registry: its literals, its functions, a round trip of what it writes, one error for junk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from _answers import EXAMPLES

from vesalius.core import registry
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.testing import FORMAT_PROMISES, FormatTrial

NAMES = sorted(registry.names("formats"))
WIDE = Mask(image=Image(np.arange(30).reshape(1, 1, 5, 6)), labels=(Label(1, "a"),))  # of 64 bits


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("promise", FORMAT_PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_its_promise(promise: Callable[[FormatTrial], None], name: str, tmp_path: Path) -> None:
    promise(FormatTrial(name, tmp_path, (*EXAMPLES.values(), WIDE)))


def test_no_two_formats_claim_one_suffix() -> None:
    every = [s for name in NAMES for s in registry.literals("formats", name)["SUFFIXES"]]
    assert len(every) == len(set(every))


def test_what_is_not_tried_is_said() -> None:
    """Suffixes that are not written, or not without loss, are few and known."""
    said = {
        key: {s for name in NAMES for s in registry.literals("formats", name).get(key, ())}
        for key in ("READ_ONLY", "LOSSY")
    }
    assert said == {"READ_ONLY": {".mhd", ".nhdr"}, "LOSSY": {".jpg", ".jpeg"}}
