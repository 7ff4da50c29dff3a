"""Other machines: whether they answer, and what is said where they do not."""

import signal
import socket
import struct
import subprocess
import sys
import threading
from time import monotonic, sleep

import pytest

from tests.rpc_machines import has_rpc
from tests.tiny_gguf import make
from trchat.chat.crash import describe_loss
from trchat.chat.engine_process import EngineStarter
from trchat.chat.records import Delta, new_answer
from trchat.chat.settings import Remember, sampling_of
from trchat.chat.template import Turn
from trchat.config import Settings
from trchat.errors import CrashError, ModelError
from trchat.machines import fault_of, split_address, watch, without_answer
from trchat.model_crashes import known_crash

COLD = Remember(read=False, write=False)
with_rpc = pytest.mark.skipif(not has_rpc(), reason="llama.cpp was built without GGML_RPC")


@pytest.fixture
def machine():
    """Starts a server that does ``behave`` with each connection; its address."""
    listening = []

    def start(behave):
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)

        def work():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    behave(connection)

        threading.Thread(target=work, daemon=True).start()
        return f"127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server in listening:
        server.close()


def greets(connection, version=(7, 0, 0)):
    """As ggml-rpc-server does: the length of its answer, its version, no capabilities."""
    hello = connection.recv(33, socket.MSG_WAITALL)
    assert hello == bytes([14]) + struct.pack("<Q", 24) + bytes(24)
    connection.sendall(struct.pack("<Q4B24x", 28, *version, 0))
    connection.settimeout(5)
    connection.recv(1)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_one_that_greets_is_there(machine):
    assert fault_of(machine(greets)) is None


def test_each_way_not_to_be_there_is_one_line(machine):
    nobody = f"127.0.0.1:{free_port()}"
    assert fault_of(nobody) == f"{nobody} refuses: start ggml-rpc-server there"
    other = machine(lambda connection: connection.recv(33))
    assert fault_of(other) == f"{other} is no ggml-rpc-server, or one of another version of llama.cpp"
    over = threading.Event()
    busy = machine(lambda connection: over.wait(5))
    assert fault_of(busy, 0.1).startswith(f"{busy} does not answer within 0.1 s: ")
    over.set()
    for unknown in ("nobody.invalid:1", f"{'x' * 70}.invalid:1"):
        assert fault_of(unknown).startswith(f"{unknown} cannot be reached: ")
    assert without_answer([machine(greets), nobody]) == [nobody]


def test_which_machine_was_lost(machine):
    there, gone = machine(greets), f"127.0.0.1:{free_port()}"
    printed = ["", "/x/ggml-rpc.cpp:566: Remote RPC server crashed or returned malformed response"]
    doing = "while it wrote the answer"
    assert describe_loss([there, gone], doing, printed) == f"{gone} went away {doing}"
    assert describe_loss([there], doing, printed) == f"the connection to {there} broke {doing}"
    assert describe_loss([], doing, printed) is None
    assert describe_loss([gone], doing, ["/x/ggml.c:1: GGML_ASSERT(a) failed"]) is None
    other = ["RPC server version mismatch: 6.0.0", f"/x/y.cpp:5: RPC handshake failed for {there}"]
    assert describe_loss([there], doing, other) == (
        f"{there} speaks another version of llama.cpp's RPC protocol (6.0.0): "
        "build ggml-rpc-server there from the llama.cpp that is here"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="sockets of libraries cannot be reached there")
def test_the_system_watches_the_connections_to_machines_and_no_others(machine):
    over = threading.Event()
    addresses = [machine(lambda connection: over.wait(5)) for _ in range(2)]
    watched, other = (socket.create_connection(split_address(each)) for each in addresses)
    with watched, other:
        watch([addresses[0], "nobody.invalid:1"])
        for connection, wanted in ((watched, 1), (other, 0)):
            assert bool(connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) == wanted
        over.set()


@pytest.mark.slow
@pytest.mark.skipif(has_rpc(), reason="this llama.cpp can")
def test_a_llama_cpp_without_it_says_so_in_one_line(tmp_path):
    path = make(tmp_path / "tiny.gguf")
    settings = Settings(ctx=256, threads=1, rpc="127.0.0.1:1")
    with EngineStarter() as starter, pytest.raises(ModelError, match=r"GGML_RPC=on.*docs/machines.md"):
        starter.open(path, settings, remember=COLD).__enter__()


@pytest.fixture
def servers():
    """Addresses of two machines, and their processes."""
    ports = [free_port(), free_port()]
    command = [sys.executable, "-m", "tests.rpc_machines", "serve"]
    started = [subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL) for port in ports]
    addresses = [f"127.0.0.1:{port}" for port in ports]
    until = monotonic() + 30
    while without_answer(addresses) and monotonic() < until:
        sleep(0.1)
    yield addresses, started
    for process in started:
        process.kill()
        process.wait()


def answered(engine, settings, tokens=40):
    answer = new_answer(0)
    return answer, engine.answer([Turn("user", "Say something.")], sampling_of(settings, 0), tokens, answer)


@with_rpc
@pytest.mark.slow
def test_two_machines_compute_and_one_is_lost_in_the_middle(tmp_path, servers):
    addresses, processes = servers
    path = make(tmp_path / "tiny.gguf")
    shared = Settings(ctx=512, threads=1, temp=0.0, draft="recycling", rpc=",".join(addresses))
    texts, told = [], []
    for settings in (shared, Settings(ctx=512, threads=1, temp=0.0, draft="off", rpc=shared.rpc)):
        with (
            EngineStarter() as starter,
            starter.open(path, settings, tell=told.append, remember=COLD) as engine,
        ):
            answer, events = answered(engine, settings)
            assert [each for each in events if isinstance(each, Delta)]
            texts.append(answer.token_ids)
    assert texts[0] == texts[1]
    assert all(address in told[0] for address in addresses) and " of 3 layers, about " in told[0]
    with EngineStarter() as starter, starter.open(path, shared, remember=COLD) as engine:
        answer, events = answered(engine, shared, 400)
        next(each for each in events if isinstance(each, Delta))
        processes[1].send_signal(signal.SIGKILL)
        processes[1].wait()
        with pytest.raises(CrashError, match=rf"^{addresses[1]} went away while it wrote the answer$"):
            list(events)
        assert answer.token_ids
    assert known_crash(path) is None, "the model did nothing wrong"
    with EngineStarter() as starter, pytest.raises(ModelError, match=rf"^{addresses[1]} refuses: "):
        starter.open(path, shared, remember=COLD).__enter__()
