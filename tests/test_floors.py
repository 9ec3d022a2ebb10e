"""Imports go down: a room imports only rooms on lower floors, and what must be light loads nothing heavy."""

from __future__ import annotations

import ast
import json
import runpy
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from _source import SOURCE, texts, walk
from vesalius.core.registry import KINDS, exists, plural

REPO = Path(__file__).resolve().parent.parent
FLOORS: dict[str, int] = runpy.run_path(str(REPO / "tools" / "map.py"))["FLOORS"]
TOP = 16  # vesalius/__init__.py and __main__.py, above every room
HEAVY = ("torch", "monai", "scipy", "polars", "matplotlib", "skimage", "lightning_fabric", "numpy.testing")


def imported(tree: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of every import in a file, wherever it stands, TYPE_CHECKING included."""
    for node in walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            stem = ".".join([*base, *(node.module.split(".") if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{stem}.{alias.name}"
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


@cache
def imports() -> dict[str, tuple[tuple[int, str], ...]]:
    """What each file imports, as `imported` says it."""
    return {
        path: tuple(imported(ast.parse(source), ("vesalius", *path.split("/")[:-1])))
        for path, source in texts().items()
    }


def violations(names: Iterable[tuple[int, str]], room: str) -> list[str]:
    """Every import that does not go down from `room`."""
    floor, wrong = FLOORS.get(room, TOP), []
    for line, name in names:
        parts = name.split(".")
        if parts[0] != "vesalius":
            continue
        target = parts[1] if len(parts) > 1 else ""
        if target == room or (target.startswith("__version__")):
            continue
        if FLOORS.get(target, TOP) >= floor:
            wrong.append(
                f"line {line}: {room} (floor {floor}) imports {name} (floor {FLOORS.get(target, TOP)})"
            )
    return wrong


def test_imports_go_down() -> None:
    """`__init__.py` and `__main__.py` of the package are above every room; no other file lies beside them."""
    above = {path for path in imports() if "/" not in path}
    wrong = {
        path: found
        for path, names in imports().items()
        if path not in above and (found := violations(names, path.split("/")[0]))
    }
    assert above == {"__init__.py", "__main__.py"} and len(imports()) > 500 and wrong == {}


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("core", "from vesalius.nets import resnet"),
        ("core", "import vesalius.formats.nifti"),
        ("nets", "from vesalius.losses import dice"),
        ("prepare", "from ..learn import loop"),
        ("tasks", "if TYPE_CHECKING:\n    from vesalius.verbs.fit import fit"),
        ("evaluate", "def f():\n    from vesalius.learn import loop"),
        ("plan", "import vesalius as vs"),
        ("infer", "import_module('vesalius.cli')"),
        ("evaluate", "from vesalius import predict"),
    ],
)
def test_an_import_that_goes_up_or_sideways_is_found(room: str, source: str) -> None:
    assert len(violations(imported(ast.parse(source), ("vesalius", room)), room)) == 1


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("nets", "from vesalius.core.errors import PlanError"),
        ("nets", "from vesalius.nets import _blocks\nfrom . import _blocks\nfrom ._blocks import x"),
        ("cli", "from vesalius import verbs, __version__"),
        ("learn", "import torch"),
    ],
)
def test_an_import_that_goes_down_is_not(room: str, source: str) -> None:
    assert violations(imported(ast.parse(source), ("vesalius", room)), room) == []


def private(names: Iterable[tuple[int, str]], room: str) -> list[str]:
    """Every import of a file that another room keeps to itself (its name begins with an underscore)."""
    return [
        f"line {line}: {room} imports {name}"
        for line, name in names
        if name.startswith("vesalius.") and (parts := name.split(".")[1:])[0] != room and room in FLOORS
        if any(part.startswith("_") and part != "__version__" for part in parts)
    ]


def test_no_room_reaches_into_another_ones_private_files() -> None:
    looked = imports().items()
    wrong = {path: found for path, names in looked if (found := private(names, path.split("/")[0]))}
    assert wrong == {}


def test_a_private_import_of_another_room_is_found() -> None:
    for source in ("from vesalius.nets import _blocks", "from vesalius.nets._blocks import conv"):
        assert len(private(imported(ast.parse(source), ("vesalius", "tasks")), "tasks")) == 1
        assert private(imported(ast.parse(source), ("vesalius", "nets")), "nets") == []


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import one another, directly or through others (Tarjan 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in graph[module]:
            if other not in order:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            at = stack.index(module)
            if len(group := stack[at:]) > 1:
                found.append(sorted(group))
            del stack[at:]

    for module in graph:
        if module not in order:
            visit(module)
    return found


def test_no_file_imports_one_that_imports_it() -> None:
    files = {
        ".".join(("vesalius", *path.removesuffix(".py").split("/"))).removesuffix(".__init__"): path
        for path in imports()
    }
    graph = {}
    for module, path in files.items():
        names = {name for _, name in imports()[path]}
        meant = {name if name in files else name.rpartition(".")[0] for name in names}
        graph[module] = (meant & set(files)) - {module}
    assert circles(graph) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_every_room_has_a_floor() -> None:
    found = {p.name for p in SOURCE.iterdir() if (p / "__init__.py").is_file()}
    assert found <= set(FLOORS), f"rooms without a floor: {sorted(found - set(FLOORS))}"


def test_core_names_no_heavy_library() -> None:
    found = [
        f"{path}:{line} {name}"
        for path, names in imports().items()
        if path.startswith("core/") and path.count("/") == 1
        for line, name in names
        if name.split(".")[0] in ("torch", "monai", "lightning_fabric", "skimage", "matplotlib", "polars")
    ]
    assert found == []


def loaded_by(program: str) -> set[str]:
    """Which heavy libraries a fresh interpreter holds after running `program`."""
    tail = f"\nimport sys, json; print('\\n' + json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", program + tail], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import vesalius") == set()


def test_importing_all_of_core_loads_nothing_heavy() -> None:
    names = [p.stem for p in (SOURCE / "core").glob("*.py") if p.stem != "__init__"]
    assert loaded_by("".join(f"import vesalius.core.{n}\n" for n in names)) == set()


HELP = """
import runpy, sys
sys.argv = {argv!r}
try:
    runpy.run_module("vesalius", run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code, end.code
"""


def test_help_loads_nothing_heavy() -> None:
    """One help after another in one process."""
    asked = [["vesalius", *words, "--help"] for words in ((), ("fit",), ("predict",), ("serve",))]
    assert loaded_by("".join(HELP.format(argv=argv) for argv in asked)) == set()


def test_listing_loads_nothing_heavy() -> None:
    """Each list there is, one after another in one process."""
    lists = [plural(kind) for kind in KINDS if exists(kind)]
    assert len(lists) > 10
    assert loaded_by("".join(HELP.format(argv=["vesalius", name]) for name in lists)) == set()
