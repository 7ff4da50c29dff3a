"""How many layers are put onto GPUs; there is none here, so their memory is made up."""

import pytest

from tests.tiny_gguf import LAYERS, make
from trchat import gpu_layers
from trchat.catalog.gguf_header import read_header
from trchat.catalog.memory import estimate, weights_by_layer
from trchat.chat import loading
from trchat.config import Settings
from trchat.errors import UsageError
from trchat.gpu_layers import Placement, dealt_out, fitting
from trchat.llama.device import Gpu, Split
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
        there = [each if isinstance(each, Gpu) else Gpu(f"CUDA{n}", each) for n, each in enumerate(free)]
        monkeypatch.setattr(gpu_layers, "gpus", lambda: there)

    return has


def placed(model, ctx=4096, **settings):
    told = []
    return gpu_layers.place(Settings(**settings), model, ctx, told.append), told


def ask(model, wanted="auto", ctx=4096):
    placement, told = placed(model, ctx, gpu_layers=wanted)
    return placement.layers, told


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
    gpu(None)
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

    def load(path, layers, progress, split):
        loaded.append((path, layers, split))
        raise Loaded

    monkeypatch.setattr(loading, "Model", load)
    gpu(0)
    told = []
    with pytest.raises(Loaded), loading.open_engine(model, Settings(ctx=512), tell=told.append):
        pass
    assert loaded == [(model, 0, Split())]
    assert len(told) == 1


def test_shares_that_are_given_decide_instead_of_what_is_free():
    assert fitting(LARGE, 200 * MB, 100 * MB, [5 * GB, 5 * GB], [1, 1]) == 32
    assert fitting(LARGE, 200 * MB, 100 * MB, [5 * GB, 5 * GB], [3, 1]) < 27
    assert fitting(LARGE, 200 * MB, 100 * MB, [24 * GB, 0], [1, 0]) == 32, "nothing is asked of the second"
    assert fitting(LARGE, 200 * MB, 100 * MB, [24 * GB, 0], [0, 1]) == 0


@pytest.mark.parametrize(
    ("count", "shares", "expected"),
    [
        (25, [1, 1], [13, 12]),
        (25, [3, 1], [19, 6]),
        (25, [0, 1], [0, 25]),
        (25, [1, 0], [25, 0]),
        (2, [1, 1, 1], [1, 1, 0]),
        (1, [1, 9], [1, 0]),
    ],
)
def test_layers_are_dealt_out_as_llama_cpp_does(count, shares, expected):
    assert dealt_out(count, shares) == expected


def test_how_gpus_share_is_passed_on(model, gpu):
    gpu(8 * GB, 8 * GB)
    assert placed(model) == (Placement(ALL_LAYERS), [])
    assert placed(model, tensor_split="3,1")[0].split == Split(shares=(3, 1))
    assert placed(model, split_mode="row") == (Placement(ALL_LAYERS, Split("row")), [])
    assert placed(model, split_mode="none", main_gpu=1) == (Placement(ALL_LAYERS, Split("none", 1)), [])
    assert placed(model, gpu_layers="0", tensor_split="3,1") == (Placement(0), [])
    gpu(8 * GB, 0)
    assert placed(model, split_mode="none") == (Placement(ALL_LAYERS, Split("none")), [])
    assert placed(model, split_mode="none", main_gpu=1)[0].layers == 0, "there is no room on that one"


def test_what_has_no_effect_is_said(model, gpu, monkeypatch):
    gpu(8 * GB, 8 * GB)
    assert placed(model, main_gpu=1)[1] == ["--main-gpu counts with --split-mode none only"]
    told = placed(model, split_mode="none", tensor_split="3,1")[1]
    assert told == ["--tensor-split does not count with --split-mode none"]
    monkeypatch.setattr(gpu_layers, "gpu_available", lambda: False)
    assert "no GPU" in placed(model, main_gpu=1)[1][0]


def test_gpus_that_there_are_not_are_refused_in_one_line(model, gpu):
    gpu(8 * GB, 8 * GB)
    with pytest.raises(UsageError, match=r"^--main-gpu 2 is not there, .* there are 2: CUDA0, CUDA1$"):
        placed(model, main_gpu=2)
    with pytest.raises(UsageError, match=r"^--tensor-split says what 3 get, there are 2: CUDA0, CUDA1$"):
        placed(model, tensor_split="3,1,1")


def test_memory_is_told_machine_by_machine(model, gpu, monkeypatch):
    asked = []
    monkeypatch.setattr(gpu_layers, "add_machines", asked.append)
    gpu(Gpu("a:1", 4 * GB, remote=True), Gpu("b:2", None, remote=True), 4 * GB)
    placement, [line] = placed(model, rpc="a:1,b:2", tensor_split="1,1,1")
    assert asked == [["a:1", "b:2"]] and placement.layers == ALL_LAYERS
    first, second, third = line.split("; ")
    assert first.startswith("a:1 1 of 3 layers, about ") and first.endswith(" of 4.3 GB that are free")
    assert second.startswith("b:2 1 of 3 layers, about ") and third.startswith("CUDA2 1 of 3 layers, about ")
    with pytest.raises(UsageError, match="row"):
        placed(model, rpc="a:1,b:2", split_mode="row")
    with pytest.raises(UsageError, match="--gpu-layers 0 leaves nothing"):
        placed(model, rpc="a:1", gpu_layers="0")
    line = placed(model, rpc="a:1,b:2", gpu_layers="2")[1][0]
    assert line.startswith("this processor 1 of 3 layers; a:1 ")
