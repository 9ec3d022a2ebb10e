"""A webhook: JSON that is posted to an address which the administrator names, signed, retried, and never waited for.

Nothing else is asked of that address: no redirect is followed, no proxy and no credentials of the environment are used.
With a secret each attempt is signed as Stripe and Svix do: `X-Vesalius-Signature: t=SECONDS,v1=HEX`, where HEX is the
HMAC-SHA256 (RFC 2104) of `SECONDS.BODY`, so that a body that is sent again later by somebody else is known by its time.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from vesalius.core.errors import DataError
from vesalius.core.posting import post
from vesalius.core.version import VERSION

Outcome = Literal["delivered", "refused", "given up", "dropped"]
SIGNATURE = "X-Vesalius-Signature"
_LOG = logging.getLogger("vesalius.serve")
_AGAIN = (408, 425, 429)  # a client's error by its number, and yet one that passes
_READ = 4096  # bytes of an answer that are looked at and thrown away


@dataclass(frozen=True)
class Patience:
    """How long an attempt may take, the waits between attempts (the last one repeats), and when to give up, in seconds.

    `most` is how many bodies wait at most; what comes then is dropped and counted.
    """

    attempt_s: float = 10.0
    waits_s: tuple[float, ...] = (1, 2, 5, 15, 60)
    keep_s: float = 6 * 3600.0
    most: int = 100
    close_s: float = 2.0


@dataclass(frozen=True)
class Address:
    """Where to post, and the secret to sign with. `str()` is the host alone: a path may itself be a secret.

    Raises DataError for what is no http or https address, or holds a password.
    """

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _parted(self.url)

    def __str__(self) -> str:
        return self.parts.netloc

    @property
    def parts(self) -> SplitResult:
        """The address in its parts."""
        return _parted(self.url)


@dataclass
class _Waiting:
    body: dict[str, Any]
    since: float
    attempts: int = 0


class Webhook:
    """Posts bodies one after the other, in their order, from a thread of its own.

    `put` returns at once, whatever the address does. One that cannot be reached, or answers that it is busy or has a
    fault (408, 425, 429, 5xx), is tried again; one that refuses (any other status, a redirect too) is not asked twice.
    What waits when the process ends is lost. `heard` is told how each body ended.
    """

    def __init__(
        self,
        address: Address,
        *,
        patience: Patience | None = None,
        heard: Callable[[Outcome], None] = lambda outcome: None,
    ) -> None:
        self.address, self.patience, self._heard = address, patience or Patience(), heard
        self._bodies: deque[_Waiting] = deque()
        self._more = threading.Condition()
        self._closing = self._silent = False
        self._lost = 0
        self._thread: threading.Thread | None = None

    def put(self, body: Mapping[str, Any]) -> bool:
        """Queue a body. Returns False where too many wait, or the service ends: it is dropped then, and counted."""
        with self._more:
            full = self._closing or len(self._bodies) >= self.patience.most
            if full:
                self._lost += 1
            else:
                self._bodies.append(_Waiting(dict(body), time.monotonic()))
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
                    self._thread.start()
                self._more.notify_all()
        if full:
            self._heard("dropped")
        return not full

    def waiting(self) -> int:
        """Return how many bodies are not delivered yet."""
        return len(self._bodies)

    def close(self) -> None:
        """Take nothing more; wait a little for what is on its way, and leave the rest."""
        with self._more:
            self._closing = True
            self._more.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(self.patience.close_s)

    def _run(self) -> None:
        while True:
            with self._more:
                while not self._bodies and not self._closing:
                    self._more.wait()
                if not self._bodies:
                    return
                first = self._bodies[0]
                lost = self._lost
            outcome = self._attempt(first, lost)
            with self._more:
                if outcome is None:
                    if self._closing:
                        return
                    waits = self.patience.waits_s
                    self._more.wait_for(lambda: self._closing, waits[min(first.attempts, len(waits)) - 1])
                    continue
                self._bodies.popleft()
                if outcome == "delivered":
                    self._lost -= lost
                else:
                    self._lost += 1
            self._heard(outcome)

    def _attempt(self, one: _Waiting, lost: int) -> Outcome | None:
        """Return how a body ended; None where it is to be tried again."""
        one.attempts += 1
        try:
            status = self._post({**one.body, "lost": lost})
        except (OSError, http.client.HTTPException, ValueError) as error:
            status, why = 0, type(error).__name__
        else:
            why = f"status {status}"
        if 200 <= status < 300:
            self._say(None)
            return "delivered"
        if 0 < status < 500 and status not in _AGAIN:
            self._say(f"{why}: it is not sent again")
            return "refused"
        if time.monotonic() - one.since > self.patience.keep_s:
            return "given up"
        self._say(f"{why}: it is tried again")
        return None

    def _post(self, body: Mapping[str, Any]) -> int:
        data = json.dumps(body, ensure_ascii=True, allow_nan=False).encode()
        head = {
            "Content-Type": "application/json",
            "User-Agent": f"vesalius/{VERSION}",
            "Connection": "close",
        }
        if self.address.secret is not None:
            head[SIGNATURE] = signature(self.address.secret, data, at=int(time.time()))

        def status(answer: http.client.HTTPResponse) -> int:
            answer.read1(_READ)
            return answer.status

        return post(self.address.parts, data, head, take=status, patience_s=self.patience.attempt_s)

    def _say(self, fault: str | None) -> None:
        """Write a fault of the address down once, and that it is over: not at every attempt."""
        if fault is not None and not self._silent:
            _LOG.warning("alarms do not reach %s: %s", self.address, fault)
        if fault is None and self._silent:
            _LOG.warning("alarms reach %s again", self.address)
        self._silent = fault is not None


def signature(secret: str, body: bytes, *, at: int) -> str:
    """Return what stands in the header `X-Vesalius-Signature` of a body that is sent at `at`, in seconds since 1970."""
    made = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={made}"


def _parted(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    whole = parts.scheme in ("http", "https") and parts.hostname and port != 0
    clean = url.isascii() and url.isprintable() and " " not in url
    if not whole or not clean or parts.fragment or parts.username or parts.password:
        raise DataError(
            "no address for alarms",
            found=f"{parts.scheme or 'no scheme'}, {parts.hostname or 'no host'}",
            hint="https://HOST/PATH, or http, without a password in it",
        )
    return parts
