"""Settings of a server: where it listens, and the limits that keep one client from stopping all others."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from genrec_core import GenrecError

TOKEN_VARIABLE = "GENREC_SERVE_TOKEN"
SHORTEST_TOKEN = 16
"""Characters; a shorter token can be guessed."""


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes:
        host: address to listen on.
        port: 0 takes a free one.
        token: what a client has to show (`Authorization: Bearer …`); empty lets everybody in.
        max_batch: requests that the model answers together.
        max_queue: requests that may wait; more are told to come again (429).
        timeout: seconds after which a request is given up (504).
        max_body: bytes of a request's body.
        max_history: items of a history, and of a list of items to leave out.
        max_items: items that may be asked for (`k`).
        max_requests: requests of one `POST /recommend/batch`.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str = ""
    max_batch: int = 32
    max_queue: int = 256
    timeout: float = 30.0
    max_body: int = 1 << 20
    max_history: int = 1000
    max_items: int = 100
    max_requests: int = 256

    def refuse_open_door(self) -> None:
        """Refuse to listen where others can reach it without a token.

        Raises:
            GenrecError: there is none, or one that can be guessed.
        """
        if self.token and len(self.token) < SHORTEST_TOKEN:
            raise GenrecError(
                f"`{TOKEN_VARIABLE}` has {len(self.token)} characters; it needs {SHORTEST_TOKEN} at least",
                hint="python -c 'import secrets; print(secrets.token_urlsafe())' makes one",
            )
        if not self.token and not is_loopback(self.host):
            raise GenrecError(
                f"`--host {self.host}` can be reached by others, so a token is needed",
                hint=f"set the environment variable {TOKEN_VARIABLE}, or listen on 127.0.0.1",
            )

    def lets_in(self, authorization: str) -> bool:
        """Whether a header `Authorization` shows the token; takes as long for any wrong one."""
        scheme, _, shown = authorization.partition(" ")
        right = hmac.compare_digest(shown.strip().encode(), self.token.encode())
        return not self.token or (scheme.lower() == "bearer" and right)


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("::1")
    (True, True, False, True)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
