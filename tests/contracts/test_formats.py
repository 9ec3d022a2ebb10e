"""Every format in the registry: its literals, its functions, a round trip of what it writes, one error for junk."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from vesalius import formats
from vesalius.core import registry
from vesalius.core.answers import Answer, kinds
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.text import Text
from vesalius.core.answers.value import Value
from vesalius.core.cohort import Label
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.image import Image

NAMES = sorted(registry.names("formats"))
PIXELS = np.arange(30, dtype=np.uint8).reshape(1, 1, 5, 6)
MASK = Mask(image=Image(array=PIXELS), labels=(Label(1, "a"),))
MAP = Map(image=Image(array=PIXELS.astype(np.float32)), quantity="q")
TEXT = Text(sections={"findings": "none"})
LOSSY = {".jpg", ".jpeg"}
READ_ONLY = {".mhd", ".nhdr"}  # their pixels lie in a second file, which one atomic write cannot make


@pytest.mark.parametrize("name", NAMES)
def test_the_literals_say_what_it_is(name: str) -> None:
    said = registry.literals("formats", name)
    assert said["SUFFIXES"] and all(s.startswith(".") and s == s.lower() for s in said["SUFFIXES"])
    assert all(isinstance(offset, int) and isinstance(magic, bytes) for offset, magic in said["MAGIC"])
    assert said["HOLDS"] in ("Image", "Answer")
    known = {"Image", "Answer", "ImageAnswer", *(kind.__name__ for kind in kinds())}
    assert set(said["WRITES"]) <= known
    assert registry.names("formats")[name]
    if "OF" in said:  # told from another format's files by what is in them
        assert (
            said["OF"] in NAMES and said["CODES"] and hasattr(registry.lookup("formats", said["OF"]), "code")
        )


def test_no_two_formats_claim_one_suffix() -> None:
    every = [s for name in NAMES for s in registry.literals("formats", name)["SUFFIXES"]]
    assert len(every) == len(set(every))


@pytest.mark.parametrize("name", NAMES)
def test_the_functions_have_the_contract_s_signatures(name: str) -> None:
    module, said = registry.lookup("formats", name), registry.literals("formats", name)
    assert list(inspect.signature(module.read).parameters) == ["ref"]
    assert list(inspect.signature(module.header).parameters) == ["ref"]
    if said["WRITES"]:
        parameters = inspect.signature(module.write).parameters
        assert list(parameters) == ["thing", "path", "source"]
        assert parameters["source"].kind is inspect.Parameter.KEYWORD_ONLY
    for function in (module.read, module.header, *([module.write] if said["WRITES"] else [])):
        assert function.__doc__


@pytest.mark.parametrize(
    ("name", "suffix"), [(n, s) for n in NAMES for s in registry.literals("formats", n)["SUFFIXES"]]
)
def test_what_is_written_is_read_back(name: str, suffix: str, tmp_path: Path) -> None:
    said = registry.literals("formats", name)
    if "source" in said.get(
        "NEEDS", ()
    ):  # written into a study: what comes back is tested beside each such format
        kind = (
            {"Mask": MASK, "Map": MAP, "Text": TEXT}[said["WRITES"][0]]
            if "Scores" not in said["WRITES"]
            else TEXT
        )
        with pytest.raises(OutputError, match="study of their source"):
            formats.write(kind, tmp_path / f"x{suffix}")
        assert not list(tmp_path.iterdir())
        return
    if suffix in READ_ONLY or not said["WRITES"]:
        with pytest.raises(OutputError):
            formats.write(Image(array=PIXELS), tmp_path / f"x{suffix}")
        return
    if said["HOLDS"] == "Answer":
        path = formats.write(Value(x=2.5), tmp_path / f"x{suffix}")
        assert formats.read_answer(path).x == 2.5  # type: ignore[attr-defined]
        return
    things: list[Image | Answer] = [Image(array=PIXELS)]
    if "ImageAnswer" in said["WRITES"] and suffix not in LOSSY:
        things.append(Mask(image=Image(array=PIXELS.astype(np.int64)), labels=(Label(1, "a"),)))
    for thing in things:
        path = formats.write(thing, tmp_path / f"x{suffix}")
        assert formats.sniff(path) == name and formats.stem(path) == "x"
        back = formats.read_mask(path)
        assert back.shape == formats.header(path).shape == (1, 5, 6)
        assert np.abs(back.array.astype(int) - PIXELS).max() <= (8 if suffix in LOSSY else 0)
        assert back.affine is None and back.spacing_mm is None
    assert [p.name for p in tmp_path.iterdir()] == [f"x{suffix}"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("junk", [b"", b"\0", b"\0" * 4096, bytes(range(256)) * 8])
def test_junk_is_one_typed_error(name: str, junk: bytes, tmp_path: Path) -> None:
    said = registry.literals("formats", name)
    for suffix in said["SUFFIXES"]:
        (tmp_path / f"junk{suffix}").write_bytes(junk)
        with pytest.raises(FormatError, match="junk"):
            (formats.read_answer if said["HOLDS"] == "Answer" else formats.read)(tmp_path / f"junk{suffix}")
