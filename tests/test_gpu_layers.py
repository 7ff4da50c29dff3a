"""How many layers are put onto GPUs; there is none here, so their memory is made up."""

import pytest

from tests.tiny_gguf import LAYERS, make
from trchat import gpu_layers
from trchat.catalog.gguf_header import read_header
from trchat.catalog.memory import estimate, weights_by_layer
from trchat.chat import loading
from trchat.config import Settings
from trchat.gpu_layers import fitting
from trchat.llama.model import ALL_LAYERS

GB, MB = 1 << 30, 1 << 20
LARGE = [200 * MB] * 32


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        ([24 * GB], 32),
        ([8 * GB], 32),  # 6.25 GB of layers, 0.3 of output and compute, 1 left free
        ([7 * GB], 29),
        ([4 * GB], 13),
        ([1 * GB], 2),  # a quarter of a small one is left free
        ([400 * MB], 0),
        ([0], 0),
        ([5 * GB, 5 * GB], 32),
        ([4 * GB, 4 * GB], 27),
        ([24 * GB, 0], 0),  # it would be dealt some of what each GPU needs
    ],
)
def test_as_many_layers_go_onto_the_gpus_as_fit(free, expected):
    assert fitting(LARGE, 200 * MB, 100 * MB, free) == expected


def test_the_last_layers_are_the_ones_that_count():
    assert fitting([900 * MB, 100 * MB, 100 * MB], 0, 0, [1 * GB]) == 2
    assert fitting([100 * MB, 100 * MB, 900 * MB], 0, 0, [1 * GB]) == 0


@pytest.fixture
def model(tmp_path):
    return make(tmp_path / "tiny.gguf")


def test_every_weight_is_counted_but_that_of_the_input(model):
    header = read_header(model)
    layers, output = weights_by_layer(header)
    sizes = {tensor.name: tensor.size for tensor in header.tensors}
    assert len(layers) == LAYERS
    assert sum(layers) + output == sum(sizes.values()) - sizes["token_embd.weight"]
    assert layers[0] == sum(size for name, size in sizes.items() if name.startswith("blk.0."))


def test_an_output_that_is_the_input_as_well_is_counted(tmp_path):
    header = read_header(make(tmp_path / "tied.gguf", "gemma2"))
    layers, output = weights_by_layer(header)
    assert sum(layers) + output == sum(tensor.size for tensor in header.tensors)


@pytest.fixture
def gpu(monkeypatch):
    def has(*free):
        monkeypatch.setattr(gpu_layers, "gpu_available", lambda: True)
        monkeypatch.setattr(gpu_layers, "free_on_gpus", lambda: list(free))

    return has


def ask(model, wanted="auto", ctx=4096):
    told = []
    return gpu_layers.gpu_layers(wanted, model, ctx, "f16", "auto", told.append), told


def test_all_layers_go_where_they_fit_and_nothing_is_said(model, gpu):
    gpu(8 * GB)
    assert ask(model) == (ALL_LAYERS, [])


def test_some_layers_go_where_not_all_fit_and_that_is_said(model, gpu):
    header = read_header(model)
    layers, output = weights_by_layer(header)
    need = estimate(header, 4096, flash_attn="auto", on_gpu=True)
    all_of_it = sum(layers) + output + need.total - need.weights
    gpu(int((all_of_it - 1000) / 0.75))
    found, [line] = ask(model)
    assert found == LAYERS - 1
    assert line.startswith(f"{LAYERS - 1} of {LAYERS} layers fit onto the GPU: all would take about ")
    gpu(int((all_of_it + 1000) / 0.75))
    assert ask(model) == (ALL_LAYERS, [])
    assert ask(model, ctx=8192)[0] < LAYERS, "a longer context leaves less room"


def test_what_was_said_outright_is_done(model, gpu):
    gpu(0)
    assert ask(model)[0] == 0
    assert ask(model, "all") == (ALL_LAYERS, [])
    assert ask(model, "7") == (7, [])


def test_all_go_where_nobody_can_say_what_fits(model, tmp_path, gpu):
    gpu()
    assert ask(model) == (ALL_LAYERS, [])
    gpu(0)
    damaged = tmp_path / "other.gguf"
    damaged.write_bytes(b"GGUF but of a kind to come")
    assert ask(damaged) == (ALL_LAYERS, [])


def test_without_a_gpu_none_go(model, monkeypatch):
    monkeypatch.setattr(gpu_layers, "gpu_available", lambda: False)
    assert ask(model, "all") == (0, [])


def test_a_model_is_loaded_with_what_fits(model, gpu, monkeypatch):
    loaded = []

    class Loaded(Exception):
        pass

    def load(path, layers, progress):
        loaded.append((path, layers))
        raise Loaded

    monkeypatch.setattr(loading, "Model", load)
    gpu(0)
    told = []
    with pytest.raises(Loaded), loading.open_engine(model, Settings(ctx=512), tell=told.append):
        pass
    assert loaded == [(model, 0)]
    assert len(told) == 1
