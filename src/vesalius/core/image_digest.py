"""What a case's images are known by wherever their files lie: a hash of their bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from vesalius.core.case import Case, Ref
from vesalius.core.disk import sha256


def image_digest(case: Case) -> str | None:
    """Return a SHA-256 of the bytes of the files of a case's images, in no order.

    None of a case whose image lies in no file that is there.
    """
    refs = sorted(_refs(case), key=lambda pair: pair[0])
    parts = []
    for name, ref in refs:
        if not all(path.is_file() for path in ref.paths):
            return None
        parts.append((name, sorted(map(sha256, ref.paths)), ref.member, ref.index))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest() if parts else None


def _refs(case: Case) -> Iterable[tuple[str, Ref]]:
    for name, image in case.images.items():
        if isinstance(image, Ref):
            yield ("" if len(case.images) == 1 else name), image
