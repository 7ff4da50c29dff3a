"""Who may ask: the key, and where web pages come in."""

import hmac
import ipaddress
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from trchat.serve.problems import ApiError

_OPEN = ("/health",)
"""Paths for those who only want to know whether the server is there."""
_PRIVATE_NAMES = (".localhost", ".local", ".internal")
"""Ends of names that nobody outside can have."""


class Guard:
    """Lets requests through that have the key, or, without one, do not come from somebody else's web page.

    A page in the user's browser can send requests to this machine. Its ``Origin`` tells; and a name in
    ``Host`` that is not this machine's tells that the page's own name was made to lead here.
    """

    def __init__(self, app: ASGIApp, key: str | None, origins: Collection[str]) -> None:
        """``origins`` are those of pages that may ask; ``*`` is any."""
        self._app = app
        self._key = None if key is None else key.encode("utf-8")
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http" and scope["path"] not in _OPEN:
            problem = self._objection(Headers(scope=scope))
            if problem is not None:
                headers = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else None
                await JSONResponse(problem.body, problem.status, headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _objection(self, headers: Headers) -> ApiError | None:
        if self._key is not None:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            # Header values are read as Latin-1, whatever they are.
            right = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._key)
            if right and scheme.lower() == "bearer":
                return None
            return ApiError(401, "the API key is missing or wrong", code="invalid_api_key")
        origin = headers.get("origin")
        if origin is not None and not {origin, "*"} & self._origins:
            return ApiError(403, "web pages may not ask here; --cors-origin lets one in", code="origin")
        if "*" not in self._origins and not _is_private(headers.get("host", "")):
            return ApiError(403, "this server answers to this machine's own names only", code="host")
        return None


def _is_private(host: str) -> bool:
    name = host.rsplit(":", 1)[0] if host.rpartition(":")[2].isdigit() else host
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return "." not in name or name.lower().endswith(_PRIVATE_NAMES)
    return True
