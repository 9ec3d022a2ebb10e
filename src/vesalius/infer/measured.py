"""What was measured of runtimes on this machine, in the user's cache folder, with the graphs that were measured."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from vesalius.core import registry
from vesalius.core.bundle import Bundle, Need
from vesalius.core.disk import sha256
from vesalius.core.version import VERSION

LIBRARIES = ("torch", "onnx", "onnxscript", "onnxruntime", "openvino")
COMPILED = "compiled"  # the folder in which a runtime keeps what it compiled
_FILE = "measured.json"
_MOST = 16  # bundles whose graphs are kept; the longest unused go first


@dataclass(frozen=True)
class Measured:
    """The seconds of one pass of all members by runtime, and why others were refused; `graphs` are hashes by file."""

    seconds: Mapping[str, float]
    refused: Mapping[str, str] = field(default_factory=dict)
    graphs: Mapping[str, str] = field(default_factory=dict)
    rows: int = 1  # of the batch of one pass

    @property
    def best(self) -> str:
        """The runtime that was the fastest of those that were not refused."""
        return min(self.seconds, key=lambda name: self.seconds[name])


def _newest(need: Need) -> int:
    """Return when the file was written that something of another package lies in; 0 where that is no file."""
    spec = None
    with suppress(ImportError, KeyError, ValueError):
        spec = find_spec(registry.stems(need.kind)[registry.stem_of(need.kind, need.name)])
    with suppress(OSError):
        return Path(spec.origin).stat().st_mtime_ns if spec is not None and spec.origin else 0
    return 0


class Kept:
    """The folder of one bundle on one machine: `threads` is how many may compute.

    Its name follows from all that a measurement hangs on, so that another version of a library, or another processor,
    finds nothing. What is damaged is not looked at.
    """

    def __init__(self, bundle: Bundle, threads: int, *, root: Path | None = None) -> None:
        facts = {
            "bundle": bundle.hash,
            "vesalius": VERSION,
            "needs": {need.origin: _newest(need) for need in bundle.needs},
            "versions": {name: _version(name) for name in LIBRARIES},
            "processor": _processor(),
            "threads": threads,
        }
        name = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
        self.root = root or cache_folder() / "runtimes"
        self.folder = self.root / name

    @property
    def compiled(self) -> Path:
        """Where a runtime keeps what it compiled."""
        return self.folder / COMPILED

    def read(self) -> Measured | None:
        """Return what was measured; None where nothing was, or where it, or a graph, is not what it was."""
        try:
            data = json.loads((self.folder / _FILE).read_text(encoding="utf-8"))
            found = Measured(
                {str(k): float(v) for k, v in data["seconds"].items()},
                {str(k): str(v) for k, v in data["refused"].items()},
                {str(k): str(v) for k, v in data["graphs"].items()},
                int(data["rows"]),
            )
            sound = all(sha256(self.folder / name) == digest for name, digest in found.graphs.items())
            if (
                not sound
                or "torch" not in found.seconds
                or not all(0 < s < 1e9 for s in found.seconds.values())
            ):
                return None
            os.utime(self.folder)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return found

    def write(self, found: Measured, graphs: Mapping[str, bytes]) -> bool:
        """Keep what was measured, with the graphs by name, whole or not at all; return whether that could be done."""
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in graphs.items()}
        text = json.dumps({**asdict(found), "graphs": hashes}, indent=1)
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            made = Path(tempfile.mkdtemp(prefix=".new-", dir=self.root))
            try:
                for name, data in graphs.items():
                    (made / name).write_bytes(data)
                (made / _FILE).write_text(text, encoding="utf-8")
                shutil.rmtree(self.folder, ignore_errors=True)
                made.rename(self.folder)
            finally:
                shutil.rmtree(made, ignore_errors=True)
            self._tidy()
        except OSError:
            return False
        return True

    def _tidy(self) -> None:
        """Let the longest unused bundles go, where there are too many."""
        held = sorted((p for p in self.root.iterdir() if p.is_dir()), key=lambda path: path.stat().st_mtime)
        for path in held[: max(0, len(held) - _MOST)]:
            shutil.rmtree(path, ignore_errors=True)


def cache_folder() -> Path:
    """Return the folder in which this platform keeps what programs can make again."""
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "vesalius"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "vesalius" / "Cache"
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if Path(given).is_absolute() else home / ".cache") / "vesalius"


def _version(name: str) -> str:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(name)
    return ""


def _processor() -> str:
    """Return what the processor is called, with the instructions that torch uses of it."""
    import torch

    named = platform.processor() or platform.machine()
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        named = next(line for line in lines if line.startswith("model name")).partition(":")[2].strip()
    return f"{named} {torch.backends.cpu.get_cpu_capability()}"
