"""A process that ends where the one that began it ends, however that ends."""

from __future__ import annotations

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """From now on, end this process as soon as the one that began it has ended."""
    threading.Thread(target=_follow, daemon=True, name="parent").start()


def _follow() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
