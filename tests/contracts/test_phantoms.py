"""Every registered phantom keeps the room's contract, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vesalius import phantom as make
from vesalius.core import registry
from vesalius.core.errors import UnknownName
from vesalius.testing import PHANTOM_PROMISES, PhantomTrial

KINDS = sorted(registry.names("phantom"))


def test_the_ct_is_there() -> None:
    assert "ct" in KINDS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("promise", PHANTOM_PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_its_promise(promise: Callable[[PhantomTrial], None], kind: str, tmp_path: Path) -> None:
    promise(PhantomTrial(kind, tmp_path))


def test_an_unknown_kind_names_those_there(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown phantom 'zzz'.*ct"):
        make(tmp_path / "x", kind="zzz")
