"""What llama.cpp's devices say of themselves; the GPUs are made up."""

from types import SimpleNamespace

import pytest

from trchat.llama import device


class Function:
    """As ctypes' functions, it can be told its types."""

    def __init__(self, call):
        self.call = call

    def __call__(self, *args):
        return self.call(*args)


CPU, GPU, SHARED, ACCELERATOR = 0, 1, 2, 3


@pytest.fixture
def machine(monkeypatch):
    """Devices as (kind, free, total)."""

    def has(*devices):
        def memory(number, free, total):
            free._obj.value, total._obj.value = devices[number][1:]

        library = SimpleNamespace(
            ggml_backend_dev_count=Function(lambda: len(devices)),
            ggml_backend_dev_get=Function(lambda index: index),
            ggml_backend_dev_type=Function(lambda number: devices[number][0]),
            ggml_backend_dev_memory=Function(memory),
        )
        monkeypatch.setattr(device.llama, "_lib", library)

    return has


def test_only_gpus_are_asked_for_their_memory(machine):
    machine((GPU, 5, 10), (GPU, 7, 10), (CPU, 90, 100), (ACCELERATOR, 0, 0))
    assert device.free_on_gpus() == [5, 7]
    machine((CPU, 90, 100))
    assert device.free_on_gpus() == []


def test_a_gpu_that_shares_memory_counts_where_there_is_no_other(machine):
    machine((SHARED, 50, 100), (GPU, 5, 10), (CPU, 90, 100))
    assert device.free_on_gpus() == [5]
    machine((SHARED, 50, 100), (CPU, 90, 100))
    assert device.free_on_gpus() == [50]


def test_a_full_gpu_is_told_from_one_that_does_not_say(machine):
    machine((GPU, 0, 10), (CPU, 90, 100))
    assert device.free_on_gpus() == [0]
    machine((GPU, 0, 0), (CPU, 90, 100))
    assert device.free_on_gpus() == []


def test_a_library_without_these_functions_says_nothing(monkeypatch):
    monkeypatch.setattr(device.llama, "_lib", SimpleNamespace())
    assert device.free_on_gpus() == []


def test_the_library_in_use_can_be_asked():
    assert all(free >= 0 for free in device.free_on_gpus())
    assert device.llama._lib.ggml_backend_dev_memory is not None
