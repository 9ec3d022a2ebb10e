"""No file but its own asks for a task or a kind of target by name: no comparison, branch, isinstance or dict."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from _source import SOURCE, quoted, texts, walk
from vesalius.core import registry

TASKS = frozenset(registry.names("tasks"))
TARGETS = frozenset(registry.names("cohorts.targets"))
SCORED = {  # files of Scores, whose own kinds `multilabel` and `ordinal` are called as targets are
    "answers/_graded.py",
    "answers/scores.py",
    "core/answers/scores.py",
    "metrics/scores.py",
    "dicom/write/sr_measurements.py",
    "tasks/classify.py",
}
KIND = (
    "kind",
    "kinds",
)  # what is held against a name of a kind of target: other words are called `text` or `number`
REPORT = frozenset({"report"})  # a task, and what a case has: its field, a column's role, a source of text
TASK = ("task", "tasks")  # what is held against the name of that task


def asked(source: str, names: frozenset[str], *, room: str, of: tuple[str, ...] = ()) -> Iterator[str]:
    """Each place where a registered name, or a class of its file, decides what is done.

    `room` is the package whose files hold the names. With `of` only what is held against one of these words counts.
    """
    held = quoted(names, source) and (not of or any(word in source for word in of))
    if not held and f"vesalius.{room}." not in source:
        return  # nothing below can be found
    nodes = walk(ast.parse(source))
    classes = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "") in {f"vesalius.{room}.{n}" for n in names}
        for alias in node.names
    }

    def is_name(node: ast.AST | None) -> bool:
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            return any(map(is_name, node.elts))
        return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names

    def about(*nodes: ast.AST) -> bool:
        inner = [n for node in nodes for n in ast.walk(node)]
        words = {getattr(n, "attr", getattr(n, "id", getattr(n, "value", None))) for n in inner if _plain(n)}
        return not of or bool(words & set(of))

    def keyed(node: ast.AST) -> bool:
        return isinstance(node, ast.Dict) and any(is_name(key) for key in node.keys)

    for node in nodes:
        found = False
        if isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            found = any(map(is_name, sides)) and about(*sides)
        elif isinstance(node, ast.Match):
            patterns = [
                p.value for c in node.cases for p in ast.walk(c.pattern) if isinstance(p, ast.MatchValue)
            ]
            found = any(map(is_name, patterns)) and about(node.subject)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
            found = any(
                isinstance(n, ast.Name) and n.id in classes for a in node.args[1:] for n in ast.walk(a)
            )
        elif isinstance(node, ast.Subscript):
            found = keyed(node.value) and about(node.slice)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            found = keyed(node.func.value) and about(*node.args)
        elif isinstance(node, ast.Dict) and node.keys:
            found = all(map(is_name, node.keys)) and not of  # targets are often called as their kind is
        if found:
            yield f"line {node.lineno}: {ast.unparse(node)[:80]}"  # type: ignore[attr-defined]


def _plain(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute | ast.Name) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def test_a_task_is_named_in_its_own_file() -> None:
    wrong = {}
    for path, source in texts().items():
        own = {name for name in TASKS if path == f"tasks/{name.partition('-')[0]}.py"}
        own |= {"restore"} if path == "learn/recipes/restore.py" else set()  # a recipe of that name
        found = list(asked(source, TASKS - REPORT - own, room="tasks"))
        if found := [*found, *asked(source, REPORT - own, room="tasks", of=TASK)]:
            wrong[path] = found
    assert len(texts()) > 500 and wrong == {}


def test_a_kind_of_target_is_named_in_its_own_file() -> None:
    wrong = {}
    for path, source in texts().items():
        own = {name for name in TARGETS if path == f"cohorts/targets/{name}.py"}
        own |= {"multilabel", "ordinal"} if path in SCORED else set()
        if found := list(asked(source, TARGETS - own, room="cohorts.targets", of=KIND)):
            wrong[path] = found
    assert wrong == {}


def test_no_template_asks_either() -> None:
    names = "|".join(sorted(TASKS | TARGETS))
    test = re.compile(rf"""(?:kind|task)\w*(?:\.name)? *(?:==|!=|in) *[(\[]?["'](?:{names})["']""")
    assert test.search('{% if t.kind == "mask" %}') and test.search("{% if task.name in ('segment',) %}")
    paths = sorted(SOURCE.rglob("*.j2"))
    assert paths and [p.name for p in paths if test.search(p.read_text(encoding="utf-8"))] == []


def test_the_exceptions_are_files_that_need_them() -> None:
    for path in SCORED:
        assert list(asked(texts()[path], frozenset(("multilabel", "ordinal")), room="x", of=KIND)), path


@pytest.mark.parametrize(
    "source",
    [
        "if plan.task.name == 'classify': pass",
        "x = name in ('segment', 'x')",
        "x = {'segment': 1}.get(name)",
        "SIZES = {'classify': 1}",
        "match name:\n    case 'segment':\n        pass",
        "from vesalius.tasks.segment import Segmenter\nx = isinstance(model, Segmenter)",
    ],
)
def test_a_place_that_asks_for_a_task_is_found(source: str) -> None:
    assert list(asked(source, frozenset(("classify", "segment")), room="tasks"))


@pytest.mark.parametrize(
    "source",
    [
        "if info.kind == 'mask': pass",
        "if info.kind in ('class', 'ordinal'): pass",
        "x = state.values['kind'] == 'multilabel'",
        "x = {'class': 'exclusive'}.get(target.kind, target.kind)",
        "x = {'class': 1}[target.kind]",
        "match info.kind:\n    case 'text':\n        pass",
    ],
)
def test_a_place_that_asks_for_a_kind_of_target_is_found(source: str) -> None:
    assert list(asked(source, TARGETS, room="cohorts.targets", of=KIND))


def test_other_words_are_neither() -> None:
    for source in (
        "meaning == 'class'",
        "targets = {'mask': ref}",
        "TargetInfo(name, 'mask')",
        "k.get('text')",
    ):
        assert not list(asked(source, TARGETS, room="cohorts.targets", of=KIND))
    assert not list(asked("TASK = 'segment'\nx = 'how to segment'", TASKS, room="tasks"))
    assert not list(asked("role == 'report'", REPORT, room="tasks", of=TASK))
    assert list(asked("plan.task.name == 'report'", REPORT, room="tasks", of=TASK))
