"""Ending the work of the main thread from beside it, as Ctrl-C does, but never in the middle of an import."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

AGAIN_S = 0.05
_IMPORTING = "<frozen importlib"  # the file of the frames that import


class Ending:
    """Sends the main thread the signal of Ctrl-C, which every verb knows how to obey.

    An exception that is raised while Python imports something leaves its locks held, and one that is raised in a
    finaliser is lost; so the first waits until the import is over, and the second is sent again.
    """

    def __init__(self) -> None:
        self._mine, self._again = False, threading.Event()
        self._before: Any = None
        self._unraisable: Callable[[Any], object] | None = None

    def install(self) -> None:
        """Take the signal from now on. To be called in the main thread."""
        self._before = signal.getsignal(signal.SIGINT)
        signal.signal(signal.SIGINT, self._obey)
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._lost

    def remove(self) -> None:
        """Put back what was there before."""
        if signal.getsignal(signal.SIGINT) == self._obey:
            signal.signal(signal.SIGINT, self._before)
        if self._unraisable is not None:
            sys.unraisablehook = self._unraisable

    def end(self, over: threading.Event) -> None:
        """End the main thread's work: send the signal until it has arrived, or the work is over."""
        self._mine = True
        self._send()
        while not over.wait(AGAIN_S):
            if self._again.is_set():
                self._again.clear()
                self._send()

    def _send(self) -> None:
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:
            os.kill(os.getpid(), signal.SIGINT)

    def _obey(self, number: int, frame: FrameType | None) -> None:
        if self._mine and _imports(frame):
            self._again.set()
            return
        if self._mine or not callable(
            self._before
        ):  # a job in the background is deaf to Ctrl-C, not to its limits
            if self._mine:
                raise KeyboardInterrupt
            return
        self._before(number, frame)

    def _lost(self, about: Any) -> None:
        if self._mine and isinstance(about.exc_value, KeyboardInterrupt):
            self._again.set()
        elif self._unraisable is not None:
            self._unraisable(about)


def _imports(frame: FrameType | None) -> bool:
    """Return whether a frame, or one that called it, imports something."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORTING):
            return True
        frame = frame.f_back
    return False
