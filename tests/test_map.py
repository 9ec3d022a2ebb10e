"""docs/map.md and the README's tree say what the files themselves say."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parent.parent
TOOL = REPO / "tools" / "map.py"


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    return runpy.run_path(str(TOOL))


def test_the_map_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(TOOL), "--check"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_file_says_what_it_is() -> None:
    tool = runpy.run_path(str(TOOL))
    files = sorted(p for p in (REPO / "src").rglob("*") if p.suffix in tool["CODE"])
    silent = [p.relative_to(REPO).as_posix() for p in files if not tool["caption"](p)]
    assert silent == []


def test_every_file_is_on_the_map(tool: dict[str, Any]) -> None:
    text = tool["full_map"]()
    for room in tool["rooms"]():
        for name, caption in tool["files"](room):
            assert name in text and caption in text


def test_the_readme_tree_is_filled_between_its_marks_only(tool: dict[str, Any]) -> None:
    marked = f"before\n{tool['BEGIN']}\nold\n{tool['END']}\nafter\n"
    made = tool["filled"](marked)
    assert made.startswith("before\n") and made.endswith("\nafter\n")
    assert "core/" in made and "\nold\n" not in made
    assert tool["filled"](made) == made
    assert tool["filled"]("no marks") == "no marks"


def test_rooms_stand_floor_by_floor(tool: dict[str, Any]) -> None:
    floors = [tool["FLOORS"][room.name] for room in tool["rooms"]()]
    assert floors == sorted(floors) and floors[0] == 0
