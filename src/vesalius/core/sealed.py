"""Sealed folders: data under a SHA-256 manifest that is checked on open, read by name, never unpickled.

FOLDER/
  <kind>.json        the head: its version, who made it, and what that kind of folder says of itself
  …                  its other files, all in the folder itself
  MANIFEST.sha256    one line a file, as `sha256sum` writes and checks it; written last

A bundle is one kind of sealed folder; an index, a shape model or embeddings are others. A manifest of any kind but
a bundle begins with the line `# kind: NAME`, so that no kind is ever read as another; one without it is a bundle's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core.disk import sha256, write_bytes, write_text
from vesalius.core.errors import BundleError, closest_path
from vesalius.core.image import Array

MANIFEST = "MANIFEST.sha256"
UNMARKED = "bundle"  # the kind whose manifests name none: there were bundles before there were kinds
_MARK = "# kind: "


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of sealed folder: its name in words and the newest version that is read.

    `source` says what makes such a folder, and `unfinished` what to do where one has no manifest yet; both are hints.
    """

    name: str
    version: int
    source: str
    unfinished: str = ""

    @property
    def head(self) -> str:
        """The name of the file that describes the folder."""
        return f"{self.name}.json"

    def __str__(self) -> str:
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"


@dataclass(frozen=True)
class Sealed:
    """An opened folder whose every file was checked. `hash` is the SHA-256 of its manifest.

    `files` are the names that the manifest lists; nothing else in the folder can be read.
    """

    path: Path
    kind: Kind
    head: Mapping[str, Any]
    files: frozenset[str]
    hash: str

    def place(self, name: str) -> Path:
        """Return the path of a listed file. Raises BundleError for any other name."""
        if name not in self.files:
            found = f"'{name}', which {MANIFEST} does not list"
            raise BundleError(f"{self.path} is a damaged {self.kind.name}", found=found)
        return self.path / name

    def json(self, name: str) -> Any:
        """Return what a JSON file holds."""
        return json.loads(self.place(name).read_text(encoding="utf-8"))

    def arrays(self, name: str) -> dict[str, Array]:
        """Return the arrays of a safetensors file by name; none where the folder has no such file.

        Raises BundleError where the file is there and the manifest does not list it.
        """
        from safetensors.numpy import load_file

        if name not in self.files and not (self.path / name).exists():
            return {}
        return load_file(self.place(name))


def write_sealed(
    path: Path,
    kind: Kind,
    head: Mapping[str, Any],
    files: Mapping[str, str | bytes],
    *,
    kept: Collection[str] = (),
) -> None:
    """Write a folder's files and its head, then the manifest; a crash before the manifest leaves no sealed folder.

    `kept` names files that lie in the folder already and belong to it. Whatever else lies there is of an earlier
    writing and is removed. `head` is written as it is, after its `version`. Raises OutputError.
    """
    (path / MANIFEST).unlink(missing_ok=True)
    for stale in [p for p in path.iterdir() if p.is_file() and p.name not in kept]:
        stale.unlink()
    described = json.dumps({"version": kind.version, **head}, indent=2) + "\n"
    for name, content in {**files, kind.head: described}.items():
        write_bytes(path / name, content.encode() if isinstance(content, str) else content)
    seal(path, kind=kind.name)


def seal(path: Path, *, kind: str = UNMARKED) -> None:
    """Write the manifest over all files that lie in the folder. Raises OutputError."""
    files = sorted(
        p for p in path.iterdir() if p.is_file() and p.name != MANIFEST and not p.name.startswith(".")
    )
    lines = "".join(f"{sha256(p)}  {p.name}\n" for p in files)
    write_text(path / MANIFEST, _marked(kind) + lines)


def open_sealed(path: Path, kind: Kind) -> Sealed:
    """Check every byte against the manifest, then read the head.

    Raises BundleError where the folder is not of that kind, is newer than this version reads, or any file was changed.
    """
    manifest = path / MANIFEST
    if not path.exists():
        raise BundleError(f"no {kind.name} at {path}", hint=closest_path(path, kind.source))
    if not manifest.is_file():
        hint = f"{kind.source}, or {kind.unfinished}" if kind.unfinished else kind.source
        raise BundleError(f"{path} is not {kind}", found=f"no {MANIFEST}", hint=hint)
    with damage_named(path, kind):
        text = manifest.read_text(encoding="utf-8")
        listed = _listed(path, kind, text)
        _check_files(path, kind, listed)
        head = json.loads((path / kind.head).read_text(encoding="utf-8"))
        if head["version"] > kind.version:
            raise BundleError(
                f"{path} is {kind} of version {head['version']}, newer than this Vesalius reads ({kind.version})",
                hint="a newer Vesalius",
            )
        return Sealed(path, kind, head, frozenset(listed), hashlib.sha256(text.encode()).hexdigest())


def hash_without(path: Path, names: Collection[str]) -> str:
    """Return the hash that a sealed folder would have without some of its files."""
    lines = (path / MANIFEST).read_text(encoding="utf-8").splitlines(keepends=True)
    kept = "".join(line for line in lines if line[66:].rstrip("\n") not in names)
    return hashlib.sha256(kept.encode()).hexdigest()


def digests(path: Path, kind: Kind) -> dict[str, str]:
    """Return the SHA-256 of each file of a sealed folder by its name, as its manifest lists them."""
    with damage_named(path, kind):
        return _listed(path, kind, (path / MANIFEST).read_text(encoding="utf-8"))


@contextmanager
def damage_named(path: Path, kind: Kind) -> Iterator[None]:
    """Turn what reading a damaged file raises inside this block into a BundleError that names the folder."""
    try:
        yield
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{path} is a damaged {kind.name}", found=f"{type(error).__name__}: {error}"
        ) from error


def _marked(kind: str) -> str:
    return "" if kind == UNMARKED else f"{_MARK}{kind}\n"


def _listed(path: Path, kind: Kind, text: str) -> dict[str, str]:
    """Return the SHA-256 of each file by its name, as a manifest of that kind lists them."""
    first, _, rest = text.partition("\n")
    own = first.removeprefix(_MARK) if first.startswith(_MARK) else UNMARKED
    if own != kind.name and own.isidentifier() and (path / f"{own}.json").is_file():
        raise BundleError(f"{path} is not {kind}", found=f"a folder of kind '{own}'", hint=kind.source)
    lines = rest if first.startswith(_MARK) else text
    listed = {line[66:]: line[:64] for line in lines.splitlines() if line}
    if text != _marked(kind.name) + "".join(f"{digest}  {name}\n" for name, digest in listed.items()):
        raise BundleError(
            f"{path} is a damaged {kind.name}", found=f"a changed {MANIFEST}", hint="copy it again"
        )
    return listed


def _check_files(path: Path, kind: Kind, listed: Mapping[str, str]) -> None:
    if kind.head not in listed:
        raise BundleError(f"{path} is a damaged {kind.name}", found=f"no {kind.head} in its manifest")
    for name, digest in listed.items():
        if "/" in name or "\\" in name or not (path / name).is_file():
            raise BundleError(
                f"{path} is a damaged {kind.name}", found=f"'{name}' missing", hint="copy it again"
            )
        if sha256(path / name) != digest:
            raise BundleError(
                f"{path} is damaged or was changed",
                found=f"another SHA-256 for '{name}'",
                hint="copy it again",
            )
