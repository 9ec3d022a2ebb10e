"""A server of chat completions as OpenAI has them, asked with the patience and the trust that a stranger gets.

It must be this machine, or a host that the administrator names. No redirect is followed, no proxy and no credentials of
the environment are used, an answer that is late, long, packed or malformed is refused, and nothing is asked twice.
Source: the OpenAI API reference, `POST /v1/chat/completions`.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from vesalius.core.errors import DataError
from vesalius.core.posting import post

MOST_BYTES = 256 << 10  # of an answer
MOST_LETTERS = 8000  # of the text in it
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]"
)  # nor signs that turn text round


@dataclass(frozen=True)
class ChatServer:
    """Where to ask, and how. `url` is up to and without `/chat/completions`: `http://localhost:11434/v1`.

    `allowed` are hosts beyond this machine that may be asked, `key` is sent as a bearer token, and `patience_s` is how
    long a whole answer may take. Raises DataError for a URL that may not be asked.
    """

    url: str
    model: str = "default"
    allowed: tuple[str, ...] = ()
    key: str | None = field(default=None, repr=False)
    patience_s: float = 60.0

    def __post_init__(self) -> None:
        parts = _parted(self.url)
        if not _may(parts, self.allowed):
            raise DataError(
                "a language model is asked on this machine, or on a host that is allowed by name",
                found=parts.hostname or self.url,
                hint=f"--llm-allow {parts.hostname}",
            )
        if parts.scheme == "http" and not _own(parts.hostname or ""):
            raise DataError(
                "another machine is asked over https alone", found=self.url, hint=f"https://{parts.netloc}"
            )

    @property
    def host(self) -> str:
        """The host that is asked, with its port where one is given."""
        return _parted(self.url).netloc

    def reply(self, messages: Sequence[Mapping[str, str]], *, most_tokens: int = 400) -> str:
        """Return the text that the server answers. Raises DataError where it does not, or not as it should."""
        asked = {
            "model": self.model,
            "messages": list(messages),
            "max_tokens": most_tokens,
            "temperature": 0,
            "seed": 0,
            "stream": False,
        }
        head = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        if self.key:
            head["Authorization"] = f"Bearer {self.key}"
        parts = _parted(self.url)
        try:
            body = post(
                parts,
                json.dumps(asked).encode(),
                head,
                take=self._body,
                patience_s=self.patience_s,
                path=f"{parts.path.rstrip('/')}/chat/completions",
            )
        except TimeoutError as error:
            raise self._wrong("did not answer in time", f"{self.patience_s:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise self._wrong("cannot be asked", type(error).__name__) from error
        return self._text(body)

    def _body(self, answer: http.client.HTTPResponse) -> bytes:
        """Return the body as far as it is allowed to be long."""
        if answer.status != 200:
            raise self._wrong("refused", f"status {answer.status}")
        if (packed := answer.getheader("Content-Encoding", "identity")) != "identity":
            raise self._wrong("packed its answer", packed[:40])
        body = bytearray()
        while piece := answer.read1(1 << 14):
            body += piece
            if len(body) > MOST_BYTES:
                raise self._wrong("answered at too great a length", f"more than {MOST_BYTES >> 10} KiB")
        return bytes(body)

    def _text(self, body: bytes) -> str:
        try:
            text = json.loads(body)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise self._wrong("answered in another form", "no choices[0].message.content") from error
        if not isinstance(text, str) or not text.strip():
            raise self._wrong("answered without words", type(text).__name__)
        if len(text) > MOST_LETTERS:
            raise self._wrong("answered at too great a length", f"{len(text):,} letters")
        return _CONTROL.sub("", text).strip()

    def _wrong(self, what: str, found: str) -> DataError:
        return DataError(
            f"the language model at {self.host} {what}",
            found=found,
            hint="the answer itself stands without it",
        )


def _parted(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    whole = parts.scheme in ("http", "https") and parts.hostname and port != 0
    if not whole or parts.query or parts.fragment or parts.username or parts.password:
        raise DataError(
            "no URL of a language model",
            found=url[:80],
            hint="http://localhost:11434/v1, without a password in it",
        )
    return parts


def _own(host: str) -> bool:
    """Return whether a host is this machine by its name alone; no name server is asked."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _may(parts: SplitResult, allowed: Sequence[str]) -> bool:
    host = parts.hostname or ""
    return _own(host) or host.casefold() in {name.casefold() for name in allowed}
