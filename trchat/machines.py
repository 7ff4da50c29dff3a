"""Other machines that compute for this one (``--rpc``): are they there, and do they answer?

What is asked is the greeting of llama.cpp's RPC protocol. Its own client ends the process where nobody
answers, and waits for ever where a server is busy.
"""

import os
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

_SILENT_S, _ASKS, _EVERY_S = 10, 3, 5
"""After so long without a word a machine is asked, so many times, if it is there; then it is given up."""
PATIENCE_S = 5.0
"""How long a machine may take to answer: one far away takes less than a second."""

_MOST_DESCRIPTORS = 1024  # an engine's process has some twenty
_HELLO = struct.pack("<BQ24x", 14, 24)
"""The greeting's number, its length, and no capabilities such as RDMA."""
_ANSWER_BYTES = 8 + 4 + 24
"""Its length, the version, capabilities."""


def split_address(machine: str) -> tuple[str, int]:
    """The host and the port of ``HOST:PORT``."""
    host, _, port = machine.rpartition(":")
    return host, int(port)


def fault_of(machine: str, patience_s: float = PATIENCE_S) -> str | None:
    """Why ``machine`` (``HOST:PORT``) cannot compute now, in one line; None where it answers."""
    host, port = split_address(machine)
    try:
        connection = socket.create_connection((host, port), timeout=patience_s)
    except TimeoutError:
        return f"{machine} cannot be reached: no answer within {patience_s:g} s"
    except ConnectionRefusedError:
        return f"{machine} refuses: start ggml-rpc-server there"
    except (OSError, UnicodeError) as error:  # also a name that nobody knows, or that cannot be one
        return f"{machine} cannot be reached: {getattr(error, 'strerror', None) or error}"
    with connection:
        try:
            connection.sendall(_HELLO)
            answered = len(_received(connection)) == _ANSWER_BYTES
        except TimeoutError:
            return (
                f"{machine} does not answer within {patience_s:g} s: ggml-rpc-server serves one program at "
                "a time, another may be using it"
            )
        except OSError:
            answered = False
    return None if answered else f"{machine} is no ggml-rpc-server, or one of another version of llama.cpp"


def _received(connection: socket.socket) -> bytes:
    """All of the answer: what is left unread would look like a breakdown at the other end."""
    answer = b""
    while len(answer) < _ANSWER_BYTES and (more := connection.recv(_ANSWER_BYTES - len(answer))):
        answer += more
    return answer


def without_answer(machines: Sequence[str], patience_s: float = 1.0) -> list[str]:
    """Those of ``machines`` that do not answer."""
    return [machine for machine in machines if fault_of(machine, patience_s)]


def watch(machines: Sequence[str]) -> None:
    """Have the system find out when one of ``machines`` falls silent: without power, or out of the network.

    llama.cpp waits for such a one without end. To be called when its connections are made, which then break.
    """
    if os.name == "nt":
        return  # llama.cpp's own sockets cannot be reached there
    addresses: set[object] = set()
    for machine in machines:
        with suppress(OSError):
            host, port = split_address(machine)
            addresses.update(found[4] for found in socket.getaddrinfo(host, port, socket.AF_INET))
    options = {
        "TCP_KEEPIDLE": _SILENT_S,
        "TCP_KEEPALIVE": _SILENT_S,  # its name on macOS
        "TCP_KEEPINTVL": _EVERY_S,
        "TCP_KEEPCNT": _ASKS,
        "TCP_USER_TIMEOUT": 1000 * (_SILENT_S + _ASKS * _EVERY_S),
    }
    for descriptor in range(3, _MOST_DESCRIPTORS):
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
            if connection.getpeername() in addresses:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for name, value in options.items():
                    if hasattr(socket, name):
                        connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
