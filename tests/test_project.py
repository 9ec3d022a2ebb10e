"""The project's own files hold together: pins, Makefile, CI, licence, changelog; and nothing names a machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REPO = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> str:
    return (REPO / name).read_text(encoding="utf-8")


def pins() -> dict[str, str]:
    lines = [line for line in read("constraints.txt").splitlines() if line and not line.startswith("#")]
    return dict(line.split("==", 1) for line in lines)  # fails on anything that is not an exact pin


def requirements() -> list[Requirement]:
    lines = list(PROJECT["dependencies"])
    for extra in PROJECT["optional-dependencies"].values():
        lines += extra
    return [r for r in map(Requirement, lines) if canonicalize_name(r.name) != "vesalius"]


def test_every_requirement_is_pinned_within_its_range() -> None:
    pinned = pins()
    for need in requirements():
        version = pinned.get(canonicalize_name(need.name))
        assert version is not None, f"{need.name} is not in constraints.txt; try: make pin"
        assert need.specifier.contains(version, prereleases=True), f"{need} against {version}"


def test_torch_is_pinned_without_a_local_build() -> None:
    assert pins()["torch"] == "2.13.0"


def test_what_is_installed_is_what_is_pinned() -> None:
    different = {}
    extras = PROJECT["optional-dependencies"]
    apart = {
        canonicalize_name(Requirement(line).name)
        for extra in ("hf", "benefit", "cluster", "compress", "energy", "minc", "tune")
        for line in extras[extra]
    }
    for need in requirements():
        name = canonicalize_name(need.name)
        if name in apart:  # in an environment of its own: see `make test-extras`
            continue
        installed = Version(metadata.version(name)).public
        if installed != pins()[name]:
            different[name] = (installed, pins()[name])
    assert different == {}


def test_no_gpl_library_is_required() -> None:
    names = set(pins())
    assert not names & {"pylibjpeg-libjpeg", "scikit-survival"}
    assert not names & {"torchvision", "timm", "medmnist"}, "nothing that imports torchvision can be required"


def test_the_licence_is_apache_2() -> None:
    text = read("LICENSE")
    assert (
        "Apache License" in text
        and "Version 2.0, January 2004" in text
        and "END OF TERMS AND CONDITIONS" in text
    )
    assert PROJECT["license"] == "Apache-2.0"


def test_the_changelog_has_an_entry_for_this_version() -> None:
    text = read("CHANGELOG.md")
    assert "## [Unreleased]" in text
    assert PROJECT["version"] in text or PROJECT["version"] == "0.1.0"


@pytest.mark.parametrize(
    "target", ["help", "install", "demo", "test", "test-extras", "check", "bench", "soak", "docs", "clean"]
)
def test_the_makefile_has_and_lists_its_targets(target: str) -> None:
    text = read("Makefile")
    assert re.search(rf"^{target}:.*## \S", text, re.MULTILINE)
    assert re.search(rf"^\.PHONY:.*\b{target}\b", text, re.MULTILINE)


@pytest.mark.parametrize("target", ["demo", "test", "test-extras", "check", "bench", "soak", "docs"])
def test_targets_install_by_themselves(target: str) -> None:
    assert re.search(rf"^{target}: install\b", read("Makefile"), re.MULTILINE)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed here")
def test_a_fresh_clone_would_install_pinned_torch_first(tmp_path: Path) -> None:
    outside = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    done = subprocess.run(
        ["make", "--dry-run", "test", f"VENV={tmp_path / 'venv'}", "PYTHON=python-of-choice"],
        cwd=REPO, capture_output=True, text=True, timeout=300, check=True, env=outside,
    )  # fmt: skip
    steps = [line for line in done.stdout.splitlines() if line.strip()]
    assert steps[0].startswith("python-of-choice -m venv")
    assert steps[1].endswith("-c constraints.txt torch")
    assert "-c constraints.txt -e '.[dev,docs,postgres,retrieval,video,weights]'" in steps[2]
    assert "-m pytest --durations=20 -n " in steps[-1]


def test_an_install_says_one_line_and_all_of_it_where_it_fails() -> None:
    def quietly(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(REPO / "tools" / "quietly.py"), "install", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    well, badly = (
        quietly("sh", "-c", "echo many; echo lines"),
        quietly("sh", "-c", "echo what is wrong; exit 3"),
    )
    assert well.returncode == 0 and "lines" not in well.stderr and "install: done" in well.stderr
    assert badly.returncode == 3 and "what is wrong" in badly.stderr


def test_ci_fails_when_anything_fails() -> None:
    path = REPO / ".ci" / "run"
    text = path.read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    assert path.stat().st_mode & 0o111, "it must be executable"
    assert 'wait "$extras" || { cat "$said"; exit 1; }' in text  # what is fetched meanwhile
    assert [line for line in text.splitlines() if line.startswith("make")] == [
        "make install",
        "make check",
        "make test",
        "make test-extras",
    ]


def tracked() -> list[Path]:
    if not (REPO / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True, check=True)
    return [REPO / name for name in done.stdout.split("\0") if name and (REPO / name).is_file()]


def test_nothing_names_one_machine() -> None:
    absolute = re.compile(r"(?<![\w.])/(?:work|root|home/[a-z]+)/|--(?:extra-)?index-url|--find-links")
    found = []
    for path in tracked():
        if path == Path(__file__).resolve() or path.stat().st_size > 1_000_000:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(REPO)}: {m.group()}" for m in absolute.finditer(text)]
    assert found == []


def test_no_large_file_is_tracked() -> None:
    large = [p.relative_to(REPO).as_posix() for p in tracked() if p.stat().st_size > 2_000_000]
    assert large == []


def test_the_page_of_benchmarks_has_a_section_for_each() -> None:
    headings = set(re.findall(r"^## (.+)$", read("docs/benchmarks.md"), re.MULTILINE))
    files = sorted((REPO / "benchmarks").glob("[a-z]*.py"))
    sections = {
        p.name: re.findall(r'^SECTION = "(.+)"$', p.read_text(encoding="utf-8"), re.MULTILINE) for p in files
    }
    assert files and {name: found for name, found in sections.items() if not set(found) <= headings} == {}
