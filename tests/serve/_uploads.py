"""What tests upload, and what is left of it."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient


def upload(client: TestClient, *files: tuple[str, bytes]) -> Any:
    return client.post("/api/studies", files=[("files", f) for f in files])


def ended(client: TestClient, job: dict[str, Any], timeout_s: float = 300) -> dict[str, Any]:
    """Return the job once it has ended."""
    end = time.monotonic() + timeout_s
    while job["status"] in ("queued", "running"):
        assert time.monotonic() < end, job
        time.sleep(0.02)
        job = client.get(f"/api/jobs/{job['job']}").json()
    return job


def left(client: TestClient) -> list[Path]:
    """Every file and folder of the service's that an upload could have made."""
    root: Path = client.app.state.service.root  # type: ignore[attr-defined]
    return [p for p in root.rglob("*") if p.parent != root]


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in entries:
            made.writestr(name, data)
    return buffer.getvalue()
