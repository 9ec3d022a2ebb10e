"""What labels are called: one rule, here and in the viewer."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from vesalius.core.called import called_by, written

REPO = Path(__file__).resolve().parents[2]
RULE = REPO / "src/vesalius/serve/viewer/app/called.ts"
SETS = [
    ["kidney_right", "kidney_left", "liver"],
    ["rib_left_1", "HCC", "vena cava  inferior", "left", "_", "Aorta"],
    ["right_kidney", "kidney_right", "spleen"],
    ["lung left", "LUNG_left", "lésion"],
]


def test_labels_are_written_as_people_do() -> None:
    assert [written(n) for n in ("kidney_right", "HCC", "rib_left_1", "left", "_")] == [
        "Right kidney", "HCC", "Rib left 1", "Left", "_",
    ]  # fmt: skip
    assert written("kidney_right") == written("right_kidney") == "Right kidney"
    assert called_by(SETS[2]) == {
        "right_kidney": "right_kidney", "kidney_right": "kidney_right", "spleen": "Spleen",
    }  # fmt: skip


@pytest.mark.skipif(
    not (shutil.which("node") and (REPO / "node_modules/esbuild").exists()), reason="needs node"
)
def test_the_viewer_has_the_same_rule() -> None:
    script = (
        "const {transformSync} = await import('esbuild'); const {readFileSync} = await import('node:fs');"
        f"const text = readFileSync({json.dumps(str(RULE))}, 'utf8');"
        "const {code} = transformSync(text, {loader: 'ts', format: 'esm'});"
        "const m = await import('data:text/javascript,' + encodeURIComponent(code));"
        f"console.log(JSON.stringify({json.dumps(SETS)}.map((s) => m.called(s.map((name) => ({{name}}))))))"
    )
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [list(called_by(names).values()) for names in SETS]
