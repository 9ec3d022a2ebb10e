"""Kubernetes' own schemas, strictly, and yamllint accept what is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
MANIFESTS = [p for p in sorted((DEPLOY / "kubernetes").glob("*.yaml")) if p.stem != "kustomization"]


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.stem)
@pytest.mark.parametrize("version", ["1.29", "1.33"])
def test_kubernetes_schemas_accept_each_manifest(path: Path, version: str) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    for one in documents(path):
        validate.validate(one, version, strict=True)
    broken = documents(path)[0]
    broken["metadata"]["namespaze"] = "x"
    with pytest.raises(validate.ValidationError):
        validate.validate(broken, version, strict=True)


def test_yamllint_finds_nothing() -> None:
    pytest.importorskip("yamllint")
    from yamllint import linter
    from yamllint.config import YamlLintConfig

    rules = "{line-length: {max: 140}, document-start: disable, comments: {min-spaces-from-content: 1}}"
    config = YamlLintConfig(f"{{extends: default, rules: {rules}}}")
    for path in (*DEPLOY.rglob("*.yaml"), DEPLOY.parent / "compose.yaml"):
        faults = [str(found) for found in linter.run(path.read_text(encoding="utf-8"), config)]
        assert not faults, f"{path.name}: {faults}"
