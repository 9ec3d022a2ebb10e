"""Where IU X-ray's reports lie, and which texts are equal: many are written from templates, and must stay together."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data" / "iu_xray" / "NLMCXR_reports.tgz"
_WORDS = re.compile(r"[^a-z0-9]+")


def same(text: str) -> str:
    """Return what texts have in common that are equal but for case, marks and spaces."""
    return hashlib.sha256(_WORDS.sub(" ", text.casefold()).strip().encode()).hexdigest()[:16]
