"""The server from its socket to its end."""

import asyncio
import ipaddress
import logging
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import uvicorn

from trchat.errors import TrchatError, UsageError
from trchat.serve.app import make_app
from trchat.serve.desk import Desk

_STREAMS_S = 1
"""For streams to end, in whole seconds. They end by themselves, but for clients that do not read."""
_FREEING_S = 0.4
"""For saving what was learned and freeing the model; what takes longer goes on in the engine's process, so
that the server itself ends within a second."""


def open_socket(host: str, port: int) -> socket.socket:
    """Listen at ``host`` and ``port`` (0 = any that is free). Raises TrchatError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address, family=family)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrchatError(f"cannot listen at {host}, port {port}: {reason}; --port chooses another") from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_key(host: str, key: str | None) -> None:
    """Raise UsageError where everybody in the network could ask, or the key is none."""
    if key is not None and (not key.isascii() or not key.strip() or key != key.strip()):
        raise UsageError("an API key must be ASCII letters, digits and signs, without blanks around them")
    if key is None and not is_loopback(host):
        raise UsageError(
            f"at --host {host} others can ask too: that needs a key, with --api-key or in TRCHAT_API_KEY"
        )


def address_of(listening: socket.socket) -> str:
    """Where clients find it, as their base URL."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


def run(
    desk: Desk, listening: socket.socket, key: str | None, origins: Collection[str], stop: threading.Event
) -> None:
    """Answer requests until ``stop`` is set. Raises what kept the first model from being loaded."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        make_app(desk, key, origins),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_STREAMS_S,
    )
    desk.open()
    try:
        asyncio.run(_Server(config, desk, stop).serve([listening]))
    finally:
        desk.close()
        desk.join(_FREEING_S)
        listening.close()
    if desk.failure is not None:
        raise desk.failure


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, desk: Desk, stop: threading.Event) -> None:
        super().__init__(config)
        self._desk = desk
        self._stop = stop

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if self._stop.is_set() or self._desk.failure is not None:
            self._desk.close()
            self.should_exit = True
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the command's business."""
        yield
