"""Task files speak numpy: what reads, encodes, merges and decodes loads no torch; build, loss and infer do."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from vesalius import tasks
from vesalius.core.registry import stems

ROOM = Path(tasks.__file__).parent


def test_task_files_are_imported_without_torch() -> None:
    """All of them, one after another in one process, which names the first that brings it."""
    code = "import importlib, sys\nfor stem in sys.argv[1:]:\n    importlib.import_module(f'vesalius.tasks.{stem}')\n"
    code += "    if 'torch' in sys.modules:\n        sys.exit(stem)\nprint('none')"
    names = ["contract", *stems("tasks")]
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=False)
    assert len(names) > 5 and done.stdout.strip() == "none", done.stderr


@pytest.mark.parametrize("stem", ["contract", *stems("tasks")])
def test_only_methods_that_compute_with_a_model_import_torch(stem: str) -> None:
    allowed = {"build", "loss", "loss_each", "infer", "scalar", "join", "levels"}
    allowed |= {"last_layer", "wanted", "taught", "_places", "calibrated", "point"}
    tree = ast.parse((ROOM / f"{stem}.py").read_text(encoding="utf-8"))
    found = {
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if (isinstance(node, ast.Import) and any(a.name.split(".")[0] == "torch" for a in node.names))
        or (isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "torch")
    }
    assert found <= allowed
