"""The registry: it lists without importing, finds the one file, and lets other packages in."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from vesalius.core import registry
from vesalius.core.errors import CodeError, UnknownName


@pytest.fixture
def fresh() -> Iterator[None]:
    cached = (registry.stems, registry.literals, registry.names)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None) -> Path:
    """A package of somebody else's with two nets, one of which wants a library that is not there."""
    folder = tmp_path / "otherlab"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "tiny.py").write_text(
        '"""A net of another lab."""\nNAMES = {"tiny-2": "two", "tiny-3": "three"}\n'
    )
    (folder / "needy.py").write_text(
        '"""A net that needs more."""\nEXTRA = "needful"\nimport not_installed_at_all\n'
    )
    (folder / "broken.py").write_text('"""A net with a slip."""\nimport vesalius.nothing_here\n')
    for name in [m for m in sys.modules if m.partition(".")[0] == "otherlab"]:
        monkeypatch.delitem(sys.modules, name)  # of another test's package of that name
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [EntryPoint(n, f"otherlab.{n}", "vesalius.nets") for n in ("tiny", "needy", "broken", "unet")]
    monkeypatch.setattr(
        registry.metadata, "entry_points", lambda *, group: points if group == "vesalius.nets" else []
    )
    return folder


def test_listing_imports_no_entry() -> None:
    code = (
        "import sys\n"
        "from vesalius.core.registry import KINDS, names, stems\n"
        "found = {k: names(k) for k in KINDS}\n"
        "assert 'resnet-18' in found['nets'] and 'segment' in found['tasks'], found\n"
        "entries = {m for k in KINDS for m in stems(k).values()}\n"
        "bad = entries & set(sys.modules) | {'torch', 'monai', 'nibabel', 'pydicom'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["tasks", "nets", "formats", "cohorts", "losses", "metrics"])
def test_the_name_before_the_hyphen_is_the_file(kind: str) -> None:
    listed = registry.names(kind)
    assert listed and all(text.strip() for text in listed.values())
    assert {name.partition("-")[0] for name in listed} <= set(registry.stems(kind))
    assert not any(stem.startswith("_") for stem in registry.stems(kind))


def test_looking_up_imports_the_one_file() -> None:
    assert registry.lookup("losses", "dice-ce").__name__ == "vesalius.losses.dice"


def test_an_unknown_name_says_the_closest() -> None:
    with pytest.raises(UnknownName, match="unknown net 'resnet-81'.*resnet-18"):
        registry.lookup("nets", "resnet-81")
    with pytest.raises(UnknownName, match="unknown layout"):
        registry.lookup("cohorts", "zzz")


def test_another_package_joins_by_entry_point(elsewhere: Path) -> None:
    assert registry.names("nets")["tiny-3"] == "three"
    assert "otherlab.tiny" not in sys.modules
    assert registry.lookup("nets", "tiny-2").__name__ == "otherlab.tiny"
    assert registry.stems("nets")["unet"] == "vesalius.nets.unet", "our own names are not taken over"


def test_a_missing_library_breaks_nobody_else_and_is_named(elsewhere: Path) -> None:
    assert registry.names("nets")["needy"] == "A net that needs more"
    words = r"net needy: otherlab.needy needs 'not_installed_at_all'.*pip install not_installed_at_all"
    with pytest.raises(CodeError, match=words):
        registry.lookup("nets", "needy")
    assert registry.lookup("nets", "tiny-2")


def test_a_slip_of_our_own_is_not_called_a_missing_library(elsewhere: Path) -> None:
    with pytest.raises(CodeError, match=r"vesalius.nothing_here.*mend its import"):
        registry.lookup("nets", "broken")


class Groups(list[EntryPoint]):
    """Entry points as importlib gives them."""

    @property
    def groups(self) -> set[str]:
        return {point.group for point in self}


def test_a_broken_file_breaks_only_itself_and_what_is_not_used_is_said(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "syntax.py").write_text('"""A net."""\nclass Net(:\n')
    (elsewhere / "other.py").write_text('NAMES = {"unet": "not its own"}\n')
    importlib.invalidate_caches()
    points = Groups(
        EntryPoint(name, f"otherlab.{module}", f"vesalius.{group}")
        for name, module, group in (
            ("syntax", "syntax", "nets"),
            ("ghost", "ghost", "nets"),
            ("other", "other", "nets"),
            ("unet", "tiny", "nets"),
            ("twice", "tiny", "nets"),
            ("twice", "needy", "nets"),
            ("disc", "tiny", "phantoms"),
        )
    )

    def found(*, group: str | None = None) -> Groups:
        return Groups(p for p in points if group is None or p.group == group)

    monkeypatch.setattr(registry.metadata, "entry_points", found)
    names = registry.names("nets")
    assert "cannot be read: SyntaxError" in names["syntax"] and "syntax.py:2" in names["syntax"]
    assert "there is no module 'otherlab.ghost'" in names["ghost"] and "resnet-18" in names
    assert names["unet"] != "not its own"
    said = " | ".join(registry.problems("nets"))
    for words in (
        "has a net 'unet' of its own",
        "several packages bring a net 'twice'",
        "names begin with 'other'",
    ):
        assert words in said, said
    assert "no group 'vesalius.phantoms'" in said and "mean vesalius.phantom?" in said
    for name, words in (
        ("twice", "otherlab.tiny, otherlab.needy"),
        ("syntax", "otherlab.syntax cannot be imported; found SyntaxError"),
        ("ghost", "there is no module 'otherlab.ghost'"),
    ):
        with pytest.raises(CodeError, match=words):
            registry.lookup("nets", name)
    assert registry.lookup("nets", "unet").__name__ == "vesalius.nets.unet"
