"""Other machines to try ``--rpc`` with: llama.cpp's server from the library in use, and a slow line to it.

    python -m tests.rpc_machines serve PORT [THREADS]
    python -m tests.rpc_machines relay PORT TO_PORT MILLISECONDS

The relay passes everything on so many milliseconds later, in both directions, as a network would.
"""

import contextlib
import queue
import socket
import sys
import threading
from time import monotonic, sleep


def has_rpc():
    """Whether the llama.cpp in use can compute on other machines."""
    import llama_cpp.llama_cpp as llama

    return bool(llama.llama_supports_rpc())


def serve(port, threads=1):
    """Compute for others at a port of this machine, on its processor, until the process ends."""
    import ctypes

    import llama_cpp.llama_cpp as llama

    library = llama._lib
    library.ggml_backend_reg_by_name.restype = ctypes.c_void_p
    library.ggml_backend_reg_get_proc_address.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.ggml_backend_reg_get_proc_address.restype = ctypes.c_void_p
    library.ggml_backend_dev_by_type.restype = ctypes.c_void_p
    address = library.ggml_backend_reg_get_proc_address(
        library.ggml_backend_reg_by_name(b"RPC"), b"ggml_backend_rpc_start_server"
    )
    kinds = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
    devices = (ctypes.c_void_p * 1)(library.ggml_backend_dev_by_type(0))
    ctypes.CFUNCTYPE(None, *kinds)(address)(f"127.0.0.1:{port}".encode(), None, threads, 1, devices)


def relay(port, to_port, milliseconds):
    """Pass on what comes at ``port``, ``milliseconds`` later, until the process ends."""
    server = socket.create_server(("127.0.0.1", port))
    while True:
        near, _ = server.accept()
        try:
            far = socket.create_connection(("127.0.0.1", to_port))
        except OSError:
            near.close()
            continue
        for one, other in ((near, far), (far, near)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_pump, args=(one, other, milliseconds / 1000), daemon=True).start()


def _pump(source, sink, delay_s):
    waiting = queue.SimpleQueue()
    threading.Thread(target=_deliver, args=(waiting, sink), daemon=True).start()
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 20):
            waiting.put((monotonic() + delay_s, data))
    waiting.put(None)


def _deliver(waiting, sink):
    with contextlib.suppress(OSError):
        while (item := waiting.get()) is not None:
            sleep(max(item[0] - monotonic(), 0))
            sink.sendall(item[1])
        sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    work, *numbers = sys.argv[1:]
    {"serve": serve, "relay": relay}[work](*map(int, numbers))
