"""A measurement says what computed it."""

import pytest

from tests.tiny_gguf import LAYERS, make
from trchat.bench.machine import computed_by, conditions, describe_machine, device
from trchat.bench.table import show
from trchat.catalog.card import describe
from trchat.catalog.gguf_header import read_header
from trchat.chat.loading import open_engine
from trchat.chat.settings import Remember
from trchat.config import Settings

GPU = ["CUDA0: NVIDIA H200", "CPU: Some CPU"]


def machine(**changes):
    return {"processor": "Some CPU", "threads": 8, "on_gpu": False, "devices": ["CPU: Some CPU"], **changes}


def test_a_machine_is_told_by_what_computed():
    assert computed_by(machine()) == "Some CPU, 8 threads"
    assert computed_by(machine(threads=1)) == "Some CPU, 1 thread"
    assert computed_by(machine(devices=GPU, gpu_layers=0, layers=31)) == "Some CPU, 8 threads"
    on_gpu = machine(on_gpu=True, devices=GPU, gpu_layers=12, layers=31)
    assert computed_by(on_gpu) == "NVIDIA H200 (12 of 31 layers), 8 threads"
    report = {"settings": {"model": "tiny.Q8_0"}, "machine": on_gpu}
    assert conditions(report) == "tiny.Q8_0 · NVIDIA H200 (12 of 31 layers), 8 threads"


def test_headings_are_short_where_a_gpu_does_it_all():
    assert device(machine(on_gpu=True, devices=GPU, gpu_layers=31, layers=31)) == "NVIDIA H200"
    assert device(machine(on_gpu=True, devices=GPU)) == "NVIDIA H200"
    assert device(machine(gpu_layers=31, layers=31)) == "Some CPU, 8 threads"


def test_other_machines_are_all_named():
    machines = ["CPU: Some CPU", "RPC0: a:1", "RPC1: b:2"]
    assert device(machine(on_gpu=True, devices=machines, gpu_layers=31, layers=31)) == "a:1 + b:2"
    assert device(machine(on_gpu=True, devices=GPU[:1] + machines)) == "a:1 + b:2 + NVIDIA H200"
    assert device(machine(devices=machines)) == "Some CPU, 8 threads"


def test_records_that_do_not_tell_the_layers_are_read():
    assert computed_by(machine(on_gpu=True, devices=GPU)) == "NVIDIA H200"


def test_the_table_says_it_too(capsys):
    settings = {
        "model": "tiny.Q8_0",
        "start": "cold",
        "warm": None,
        "depth": 0,
        "max_tokens": 8,
        "temperature": 0.0,
        "anew": False,
    }
    on_gpu = machine(
        on_gpu=True, devices=GPU, gpu_layers=12, layers=31, model="Its Title", architecture="llama 1B"
    )
    show({"settings": {**settings, "cost_curve": None}, "machine": on_gpu, "results": []})
    shown = capsys.readouterr().out
    assert shown.startswith("tiny.Q8_0 · llama 1B\nNVIDIA H200 (12 of 31 layers), 8 threads\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "there", "used"), [("all", True, 3), ("2", True, 2), ("99", True, 3), ("all", False, 0)]
)
def test_layers_are_those_that_were_offloaded(tmp_path, monkeypatch, wanted, there, used):
    monkeypatch.setattr("trchat.llama.model.gpu_available", lambda: there)
    monkeypatch.setattr("trchat.gpu_layers.gpu_available", lambda: there)
    path = make(tmp_path / "tiny.gguf")
    settings, cold = Settings(ctx=256, threads=1, gpu_layers=wanted), Remember(read=False, write=False)
    with open_engine(path, settings, remember=cold) as engine:
        record = describe_machine(engine, describe(read_header(path)))
    assert (record["gpu_layers"], record["layers"]) == (used, LAYERS + 1)
