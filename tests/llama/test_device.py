"""What llama.cpp's devices say of themselves; the GPUs are made up."""

from types import SimpleNamespace

import pytest

from trchat.errors import ModelError
from trchat.llama import device


class Function:
    """As ctypes' functions, it can be told its types."""

    def __init__(self, call):
        self.call = call

    def __call__(self, *args):
        return self.call(*args)


CPU, GPU, SHARED, ACCELERATOR = 0, 1, 2, 3
REMOTE = "192.168.1.7:50052"


@pytest.fixture
def machine(monkeypatch):
    """Devices as (kind, free, total), and behind them another machine's."""

    def has(*devices, remote=()):
        here, devices = len(devices), [*devices, *remote]

        def memory(number, free, total):
            free._obj.value, total._obj.value = devices[number][1:]

        library = SimpleNamespace(
            ggml_backend_dev_count=Function(lambda: len(devices)),
            ggml_backend_dev_get=Function(lambda index: index),
            ggml_backend_dev_type=Function(lambda number: devices[number][0]),
            ggml_backend_dev_memory=Function(memory),
            ggml_backend_dev_name=Function(lambda number: b"GPU%d" % number),
            ggml_backend_dev_description=Function(lambda number: REMOTE.encode()),
            ggml_backend_dev_backend_reg=Function(lambda number: number),
            ggml_backend_reg_name=Function(lambda number: b"CUDA" if number < here else b"RPC"),
        )
        monkeypatch.setattr(device.llama, "_lib", library)

    return has


def free():
    return [each.free for each in device.gpus()]


def test_only_gpus_are_asked_for_their_memory(machine):
    machine((GPU, 5, 10), (GPU, 7, 10), (CPU, 90, 100), (ACCELERATOR, 0, 0))
    assert device.gpus() == [device.Gpu("GPU0", 5), device.Gpu("GPU1", 7)]
    machine((CPU, 90, 100))
    assert device.gpus() == []


def test_a_gpu_that_shares_memory_counts_where_there_is_no_other(machine):
    machine((SHARED, 50, 100), (GPU, 5, 10), (CPU, 90, 100))
    assert free() == [5]
    machine((SHARED, 50, 100), (CPU, 90, 100))
    assert free() == [50]


def test_other_machines_come_first_as_llama_cpp_has_them(machine):
    machine((GPU, 5, 10), (CPU, 90, 100), remote=[(GPU, 7, 10)])
    assert device.gpus() == [device.Gpu(REMOTE, 7, remote=True), device.Gpu("GPU0", 5)]
    machine((SHARED, 5, 10), (CPU, 90, 100), remote=[(GPU, 7, 10)])
    assert free() == [7, 5]


def test_a_full_gpu_is_told_from_one_that_does_not_say(machine):
    machine((GPU, 0, 10), (CPU, 90, 100))
    assert free() == [0]
    machine((GPU, 0, 0), (CPU, 90, 100))
    assert free() == [None]


def test_a_build_for_other_machines_has_no_gpu_until_there_is_one(machine, monkeypatch):
    monkeypatch.setattr(device.llama, "llama_supports_gpu_offload", lambda: True)
    machine((CPU, 90, 100))
    assert not device.gpu_available()
    machine((CPU, 90, 100), remote=[(GPU, 7, 10)])
    assert device.gpu_available()


def test_a_library_without_these_functions_says_nothing(monkeypatch):
    monkeypatch.setattr(device.llama, "_lib", SimpleNamespace())
    assert device.gpus() is None
    with pytest.raises(ModelError, match="GGML_RPC"):
        device.add_machines([REMOTE])


def test_the_library_in_use_can_be_asked():
    assert device.gpus() is not None
    assert device.llama._lib.ggml_backend_dev_memory is not None
