"""What the documentation shows is true: its blocks run, its tutorials pass the contracts, its commands exist."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vesalius import formats
from vesalius.core import registry

REPO = Path(__file__).resolve().parent.parent
PAGES = [
    p
    for p in [REPO / "README.md", REPO / "CONTRIBUTING.md", *sorted(REPO.glob("docs/**/*.md"))]
    if p.is_file()
]
FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<info>[^\n`]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
TUTORIALS = {
    "answers/gaze.py": "add-an-answer.md",
    "core.answers/gaze.py": "add-an-answer.md",
    "cohorts.targets/gaze.py": "add-a-target.md",
    "formats/pgm.py": "add-a-format.md",
    "learn.recipes/cleanend.py": "add-an-option.md",
    "losses/brier.py": "add-an-option.md",
    "metrics/gaze.py": "add-an-answer.md",
    "nets/leaky.py": "add-a-net.md",
    "nets/pyramid.py": "add-a-net.md",
    "optimisers/rmsprop.py": "add-an-option.md",
    "phantom/disc.py": "add-a-phantom.md",
    "prepare.transforms/posterise.py": "add-an-option.md",
    "schedules/stairs.py": "add-an-option.md",
    "tasks/age.py": "add-a-task.md",
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, where it begins, and the mark above it.

    A block is run if `<!-- run -->` stands above it or `run` follows its language. `<!-- file: kind/stem.py -->`
    marks a tutorial's file, and `<!-- run: kind/stem.py -->` a block that is run with that file in place.
    """

    page: Path
    line: int
    language: str
    code: str
    mark: str

    @property
    def runs(self) -> bool:
        return self.mark.partition(":")[0] == "run"

    @property
    def place(self) -> str:
        return self.mark.partition(":")[2].strip()


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for m in FENCE.finditer(text):
        language, _, rest = m["info"].strip().partition(" ")
        mark = m["mark"] or rest.strip()
        found.append(Block(page, text.count("\n", 0, m.start()) + 1, language, m["code"], mark))
    return found


ALL = [block for page in PAGES for block in blocks(page)]


def name(thing: Any) -> str:
    if isinstance(thing, Block):
        return f"{thing.page.name}:{thing.line}"
    return thing.name if isinstance(thing, Path) else str(thing)


def tutorial(place: str) -> str:
    """The text of a tutorial's file, as the documentation shows it."""
    page = REPO / "docs" / TUTORIALS[place]
    (block,) = [b for b in blocks(page) if b.mark == f"file: {place}"]
    return block.code


@pytest.fixture
def forget() -> Iterator[None]:
    """A registry that has seen none of the test's files, before and after."""
    caches = (registry.stems, registry.literals, registry.names, formats.known_suffixes)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def placed(tmp_path: Path, forget: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a tutorial's file into its room, as if it lay in `src/vesalius/<kind>/`."""

    def put(place: str) -> None:
        kind, _, file = place.partition("/")
        path = tmp_path / "room" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(tutorial(place), encoding="utf-8")
        for cache in (registry.stems, registry.literals, registry.names):  # a page may show two files
            cache.cache_clear()
        room = importlib.import_module(f"vesalius.{kind}")
        monkeypatch.setattr(room, "__path__", [*room.__path__, str(path.parent)])
        monkeypatch.setattr(room.__spec__, "submodule_search_locations", room.__path__)
        monkeypatch.delitem(sys.modules, f"vesalius.{kind}.{Path(file).stem}", raising=False)

    return put


def running_pages() -> list[Path]:
    return [p for p in PAGES if any(b.runs and b.language == "python" for b in blocks(p))]


@pytest.mark.parametrize("page", running_pages(), ids=name)
def test_python_blocks_run(page: Path, placed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    space: dict[str, Any] = {"__name__": "documentation"}
    for block in blocks(page):
        if block.runs and block.language == "python":
            if block.place:
                placed(block.place)
            source = "\n" * block.line + block.code  # so that a traceback shows the page's own line
            exec(compile(source, str(page), "exec"), space)


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "python"], ids=name)
def test_python_blocks_parse(block: Block) -> None:
    compile(block.code, str(block.page), "exec")


def test_some_blocks_run() -> None:
    assert {p.name for p in running_pages()} >= {"contracts.md", "plan.md", *TUTORIALS.values()}


@pytest.mark.parametrize("page", [p for p in PAGES if "docs" in p.parts], ids=name)
def test_pages_of_the_site_mark_blocks_above_them(page: Path) -> None:
    """The site's Markdown takes a fence with two words for plain text."""
    assert [b.line for b in blocks(page) if b.runs and not page.read_text().count(f"<!-- {b.mark} -->")] == []


# ---------------------------------------------------------------------------------------------- tutorials


def test_tutorials_have_the_projects_format(tmp_path: Path) -> None:
    for place in TUTORIALS:
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(tutorial(place), encoding="utf-8")
    config = ["--config", str(REPO / "pyproject.toml"), "--no-cache", str(tmp_path)]
    for command in (["format", "--check"], ["check", "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *config], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another package that brings the tutorials' files through entry points, one group a kind."""
    root = tmp_path_factory.mktemp("site")
    points = []
    for place in TUTORIALS:
        kind, _, file = place.partition("/")
        room = root / "tutorial"
        for part in kind.split("."):
            room = room / part
            room.mkdir(parents=True, exist_ok=True)
            (room / "__init__.py").touch()
        (room / file).write_text(tutorial(place), encoding="utf-8")
        stem = Path(file).stem
        points.append(f"[vesalius.{kind}]\n{stem} = tutorial.{kind}.{stem}\n")
    (root / "tutorial" / "__init__.py").touch()
    info = root / "tutorial-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tutorial\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(points))
    return root


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("answers", "gaze"),
        ("cohorts.targets", "gaze"),
        ("core.answers", "gaze"),
        ("formats", "pgm"),
        ("learn.recipes", "cleanend"),
        ("losses", "brier"),
        ("metrics", "gaze"),
        ("nets", "leaky"),
        ("nets", "pyramid-3"),
        ("optimisers", "rmsprop"),
        ("phantom", "disc"),
        ("prepare.transforms", "posterise"),
        ("schedules", "stairs"),
        ("tasks", "age"),
    ],
    ids=str,
)
def test_another_package_joins_through_an_entry_point(
    kind: str, entry: str, package: Path, forget: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert entry not in registry.names(kind)
    monkeypatch.syspath_prepend(str(package))
    for cache in (registry.stems, registry.literals, registry.names):
        cache.cache_clear()
    assert registry.names(kind)[entry]
    assert registry.lookup(kind, entry).__name__ == f"tutorial.{kind}.{entry.partition('-')[0]}"


@pytest.mark.parametrize("place", TUTORIALS, ids=str)
def test_a_tutorial_shows_its_entry_point(place: str) -> None:
    kind, _, file = place.partition("/")
    shown = [b.code for b in blocks(REPO / "docs" / TUTORIALS[place]) if b.language == "toml"]
    (points,) = (tomllib.loads(code)["project"]["entry-points"] for code in shown)
    assert points[f"vesalius.{kind}"][Path(file).stem].startswith("mylab.")
    assert TUTORIALS[place] in (REPO / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_viewers_script_is_the_one_that_is_tested() -> None:
    (script,) = (b.code for b in blocks(REPO / "docs" / "add-an-answer.md") if b.language == "js")
    assert script in (REPO / "tests" / "serve" / "test_viewer_kinds.py").read_text(encoding="utf-8")


def test_all_that_a_task_may_say_is_on_its_page() -> None:
    contract = importlib.import_module("vesalius.tasks.contract")
    names = {n for n in (*vars(contract.Task), *contract.Task.__annotations__) if not n.startswith("_")}
    table = (
        (REPO / "docs" / "add-a-task.md")
        .read_text(encoding="utf-8")
        .partition("## All that a task may say")[2]
    )
    assert {n for n in names if f"`{n}`" not in table} == {"learned"}


def test_tutorials_pass_the_contract_tests(package: Path) -> None:
    """The contract tests, as they are, see the package's entries and pass on them."""
    searched = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    files = [f"tests/contracts/test_{kind}.py" for kind in ("formats", "losses", "nets", "phantoms", "tasks")]
    chosen = [*files, "-k", "pgm or brier or leaky or pyramid-3 or -disc] or age-number-2d"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--durations=0", *chosen],
        cwd=REPO, env={**os.environ, "PYTHONPATH": searched}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    for entry, least in (
        ("formats.py", 3),
        ("losses.py", 3),
        ("nets.py", 3),
        ("phantoms.py", 5),
        ("tasks.py", 8),
    ):
        assert len(re.findall(rf"{entry}::\S+ PASSED", done.stdout)) >= least, done.stdout[-4000:]


# ---------------------------------------------------------------------------------------------- commands


def commands() -> dict[str, Any]:
    """Every command of the command line, by name."""
    typer = importlib.import_module("typer.main")
    group = typer.get_command(importlib.import_module("vesalius.cli").app)
    return {k: v for k, v in group.commands.items() if not v.hidden}


def options(command: Any) -> set[str]:
    return {o for p in command.params for o in (*p.opts, *p.secondary_opts) if o.startswith("-")}


def shown_commands() -> Iterator[tuple[Block, list[str]]]:
    """Every `vesalius …` line of a console block, as words."""
    for block in ALL:
        if block.language == "console":
            for line in block.code.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if line.startswith("$ ") and words and words[0].endswith("vesalius"):
                    yield block, words[1:]


def test_every_command_shown_exists_with_its_options() -> None:
    known, wrong, seen = commands(), [], 0
    for block, words in shown_commands():
        seen += 1
        if words[0].startswith("-"):
            continue
        if words[0] not in known:
            wrong.append(f"{name(block)}: no command '{words[0]}'")
            continue
        used = {w.partition("=")[0] for w in words[1:] if re.match(r"--?[a-z]", w)}
        wrong += [
            f"{name(block)}: {words[0]} has no {o}" for o in used - options(known[words[0]]) - {"--help"}
        ]
    assert wrong == []
    assert seen > 10


def test_every_command_is_documented_with_its_options() -> None:
    text = (REPO / "docs" / "commands.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^## (.*)$", text, re.MULTILINE))))
    assert set(commands()) <= headings
    missing = [
        f"{k} {o}"
        for k, command in commands().items()
        for o in options(command)
        if o.startswith("--") and o != "--help" and not re.search(rf"(?<![\w-]){re.escape(o)}(?![\w-])", text)
    ]
    assert missing == []


# ---------------------------------------------------------------------------------------------- names, links


def public_names(*, errors: bool = True) -> list[str]:
    """What `dir(vesalius)` lists, with or without the kinds of errors, which are documented as one tree."""
    vesalius = importlib.import_module("vesalius")
    found = [n for n in dir(vesalius) if not n.startswith("__")]
    return [n for n in found if errors or getattr(vesalius, n).__module__ != "vesalius.core.errors"]


def test_every_public_name_is_documented() -> None:
    public = public_names(errors=False)
    text = (REPO / "docs" / "api.md").read_text(encoding="utf-8")
    missing = [n for n in public if not re.search(rf"\b{n}\b", text)]
    assert public and missing == [] and "::: vesalius.core.errors" in text


def test_every_public_name_has_an_example() -> None:
    """After what mkdocstrings makes of its docstring."""
    text = (REPO / "docs" / "api.md").read_text(encoding="utf-8")
    found = re.findall(r"^::: [\w.]+\.(\w+)\n(.*?)(?=^:::|^## |\Z)", text, re.MULTILINE | re.DOTALL)
    parts = dict(reversed(found))  # of a verb and a module of one name it is the verb, which comes first
    wrong = [n for n in public_names(errors=False) if "```python\n" not in parts.get(n, "")]
    assert wrong == [], "docs/api.md lacks `::: where.NAME` and an example of these"


def described(section: str, docstring: str) -> str:
    """What stands under a section of a docstring, such as `Args`; empty without it."""
    found = re.search(rf"^    {section}:\n(.*?)(?=^    \S|\Z)", docstring, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def test_every_public_function_describes_its_parameters_result_and_errors() -> None:
    vesalius = importlib.import_module("vesalius")
    wrong = []
    for name in public_names():
        thing = getattr(vesalius, name)
        if not inspect.isfunction(thing):
            continue
        text = f"    {thing.__doc__}"
        said = re.findall(r"^        (\w+): \S", described("Args", text), re.MULTILINE)
        if said != list(inspect.signature(thing).parameters):
            wrong.append(f"{name}: Args {said}")
        wrong += [f"{name}: no {part}" for part in ("Returns", "Raises") if not described(part, text)]
    assert wrong == []


def test_every_public_name_can_be_had() -> None:
    vesalius = importlib.import_module("vesalius")
    for public in public_names():
        assert getattr(vesalius, public) is not None
    with pytest.raises(AttributeError):
        _ = vesalius.no_such_name


@pytest.mark.parametrize("kind", ["tasks", "nets", "losses", "metrics", "cohorts", "formats", "phantom"])
def test_every_registered_name_is_listed(kind: str) -> None:
    text = (REPO / "docs" / "available.md").read_text(encoding="utf-8")
    ours = [
        n for n in registry.names(kind) if registry.stems(kind)[n.partition("-")[0]].startswith("vesalius.")
    ]
    assert ours and [n for n in ours if f"| `{n}` |" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [t.partition("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text)]
    broken = [t for t in targets if t and ":" not in t and not (page.parent / t).exists()]
    assert broken == []


def test_every_block_is_closed() -> None:
    for page in PAGES:
        assert page.read_text(encoding="utf-8").count("\n```") == 2 * len(blocks(page)), page.name
