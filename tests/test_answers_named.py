"""No file but its own asks which kind of answer an answer is: no isinstance, comparison, branch or dict on kinds."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from _source import quoted, texts, walk
from vesalius.core.answers import kinds

NAMES = {kind.__name__ for kind in kinds()}
OWN = {  # the files of a kind, and rooms that are about kinds
    "core/answers": "the dataclasses",
    "answers": "what is done with each kind",
    "metrics": "one file judges one kind",
    "dicom/read": "what an object is read as",
    "dicom/write": "an object holds the kinds that it was made for",
    "shapes": "a room about surfaces, and of the masks that they are laid about",
    "run/shape": "a shape model is of surfaces",
    "run/design": "a part is told by a mask",
    "tasks": "a task's own file names the answer that it ends in",
}
KNOWN: dict[str, str] = {}


def named(source: str) -> Iterator[str]:
    """Each place where a kind of answer, by its class or its name, decides what is done."""
    if "vesalius.core.answers." not in source and not quoted(NAMES, source):
        return  # nothing below can be found
    nodes = walk(ast.parse(source))
    classes = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vesalius.core.answers.")
        for alias in node.names
        if alias.name in NAMES
    }

    def is_kind(node: ast.AST | None) -> bool:
        if isinstance(node, ast.Name):
            return node.id in classes
        return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in NAMES

    def holds_kind(node: ast.AST) -> bool:
        return any(is_kind(inner) for inner in ast.walk(node))

    for node in nodes:
        asked: list[ast.AST] = []
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
            asked = [a for a in node.args[1:] if holds_kind(a)]
        elif isinstance(node, ast.Compare):
            asked = [a for a in (node.left, *node.comparators) if is_kind(a) or _listed(a, is_kind)]
        elif isinstance(node, ast.Dict):
            asked = [key for key in node.keys if key is not None and is_kind(key)]
        elif isinstance(node, ast.MatchClass | ast.MatchValue):
            asked = [n for n in (getattr(node, "cls", None), getattr(node, "value", None)) if is_kind(n)]  # type: ignore[misc]
        if asked:
            yield f"line {node.lineno}: {ast.unparse(asked[0])}"  # type: ignore[attr-defined]


def _listed(node: ast.AST, is_kind: object) -> bool:
    return isinstance(node, ast.Tuple | ast.List | ast.Set) and any(map(is_kind, node.elts))  # type: ignore[arg-type]


def test_a_kind_of_answer_is_named_in_its_own_files() -> None:
    looked = {
        path: source for path, source in texts().items() if not any(path.startswith(f"{own}/") for own in OWN)
    }
    found = {path: asked for path, source in looked.items() if (asked := list(named(source)))}
    assert len(looked) > 500 and found.keys() == KNOWN.keys(), found


@pytest.mark.parametrize(
    "source",
    [
        "from vesalius.core.answers.mask import Mask\nif isinstance(x, Mask | int): pass",
        "from vesalius.core.answers.mask import Mask\nx = type(x) is Mask",
        "from vesalius.core.answers.mask import Mask\nx = isinstance(x, (int, Mask))",
        "if card.answer == 'Mask': pass",
        "x = name in ('Scores', 'Value')",
        "x = {'Mask': 'segmentation'}.get(name)",
        "from vesalius.core.answers.text import Text\nx = {Text: 1}",
        "match name:\n    case 'Boxes':\n        pass",
    ],
)  # fmt: skip
def test_a_place_that_asks_is_found(source: str) -> None:
    assert list(named(source))


def test_other_words_are_no_kinds() -> None:
    assert not list(named("from serve.values import Text\nx = isinstance(y, Text) or kind == 'mask'"))
    assert not list(named("WRITES = ('Mask', 'Map')\nreturn_type = 'Mask'"))
