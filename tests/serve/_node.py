"""The viewer's scripts outside of a browser: TypeScript bundled by esbuild and run by Node, with JSON in and out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from vesalius.serve import viewer

APP = viewer.STATIC.parent / "app"
ESBUILD = viewer.STATIC.parents[4] / "node_modules" / ".bin" / "esbuild"
NEEDS_NODE = pytest.mark.skipif(
    not (ESBUILD.exists() and shutil.which("node")), reason="esbuild or Node is not installed: make viewer"
)


def run(script: str, given: Any, folder: Path) -> Any:
    """What `script` gives back: TypeScript whose `main` takes `given`; `@app` is the viewer's folder of scripts."""
    source, built = folder / "script.ts", folder / "script.mjs"
    lines = (
        script,
        "import { readFileSync } from 'node:fs';",
        "const given = JSON.parse(readFileSync(0, 'utf8'));",
        "process.stdout.write(JSON.stringify(await main(given)));",
    )
    entry = "\n".join(lines)
    source.write_text(entry, encoding="utf-8")
    command = [str(ESBUILD), str(source), "--bundle", "--platform=node", "--format=esm", f"--outfile={built}"]
    subprocess.run([*command, f"--alias:@app={APP}", "--log-level=error"], check=True, timeout=120)
    done = subprocess.run(
        ["node", str(built)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
