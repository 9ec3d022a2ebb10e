"""The public names: what `dir` lists, what it costs to import them, and that each takes a path as text or as a Path."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius.core import errors
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import BundleError, FormatError, PlanError
from vesalius.core.plan import load_plan
from vesalius.core.scorecard import load_scorecard

REPO = Path(__file__).resolve().parent.parent


def test_dir_lists_what_is_public_and_nothing_else() -> None:
    assert dir(vs) == sorted({*vs.__all__, "open"}) and len(set(vs.__all__)) == len(vs.__all__)
    assert not any(isinstance(getattr(vs, name), ModuleType) for name in dir(vs))
    assert set(dir(vs)) - {"__version__"} == set(vs._HOME)


def test_star_import_and_submodules_go_on_working() -> None:
    space: dict[str, Any] = {}
    exec("from vesalius import *", space)
    assert set(vs.__all__) <= set(space) and "open" not in space  # Python's own stays within reach
    assert importlib.import_module("vesalius.core").__name__ == "vesalius.core"


def test_every_error_is_within_reach() -> None:
    kinds = [v for v in vars(errors).values() if inspect.isclass(v) and issubclass(v, Exception)]
    assert len(kinds) > 15 and all(getattr(vs, kind.__name__) is kind for kind in kinds)
    with pytest.raises(vs.VesaliusError, match="nothing at"):
        vs.open("nowhere")


def test_listing_names_imports_nothing() -> None:
    code = "import sys, vesalius; dir(vesalius); print([m for m in sys.modules if m.startswith('vesalius.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['vesalius.core', 'vesalius.core.version']"


def documented() -> list[tuple[str, Any]]:
    """Every function, and every method of a class, that docs/api.md documents: by itself or with its module."""
    found: dict[str, Any] = {}
    for name in re.findall(r"^::: (vesalius\.\S+)", (REPO / "docs" / "api.md").read_text(), re.MULTILINE):
        module, _, leaf = name.rpartition(".")
        parent = importlib.import_module(module)
        thing = getattr(parent, leaf) if hasattr(parent, leaf) else importlib.import_module(name)
        members = vars(thing) if isinstance(thing, ModuleType) else {leaf: thing}
        for key, member in members.items():
            home = getattr(member, "__module__", "")
            own = home == name if isinstance(thing, ModuleType) else home.startswith("vesalius")
            own = own and not key.startswith("_")
            if own and inspect.isfunction(member):
                found[f"{member.__module__}.{key}"] = member
            elif own and inspect.isclass(member):
                found |= {
                    f"{key}.{n}": m for n, m in vars(member).items() if inspect.isfunction(m) and n[0] != "_"
                }
    found |= {name: getattr(vs, name) for name in dir(vs) if inspect.isfunction(getattr(vs, name))}
    return sorted(found.items())


@pytest.mark.parametrize(("name", "function"), documented(), ids=lambda x: x if isinstance(x, str) else "")
def test_a_path_may_be_text_or_a_path(name: str, function: Any) -> None:
    wrong = [
        f"{p.name}: {p.annotation}"
        for p in inspect.signature(function).parameters.values()
        if re.search(r"\bPath\b", str(p.annotation)) and not re.search(r"\bstr\b", str(p.annotation))
        if not str(p.annotation).startswith("One")
    ]
    assert wrong == []


def test_text_is_as_good_as_a_path_to_what_reads_and_writes(tmp_path: Path) -> None:
    made = vs.phantom(str(tmp_path / "d"), cases=3, seed=1, size=(8, 16, 16), format="png")
    cohort = vs.read(str(made / "classes"))
    assert (
        len(cohort) == 3 and vs.inspect(str(made / "classes"), html=str(tmp_path / "page.html")).cohort.cases
    )
    with pytest.raises(PlanError, match="no plan at"):
        load_plan(str(tmp_path / "plan.json"))
    assert vs.write(vs.image(np.zeros((4, 4), np.uint8)), str(tmp_path / "a.png")) == tmp_path / "a.png"
    with pytest.raises(BundleError, match="not a bundle"):
        open_bundle(str(made))
    with pytest.raises(FormatError, match="not a scorecard"):
        load_scorecard(str(made / "truth.json"))
