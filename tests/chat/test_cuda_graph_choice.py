"""CUDA graphs: done without where earlier steps say so, and only before the library looks."""

import os
from dataclasses import replace

import pytest

from tests.tiny_gguf import make
from trchat.chat.cuda_graph_choice import better_without, choose_graphs
from trchat.chat.remembering import costs_setting
from trchat.llama import cuda_graphs
from trchat.llama.context import ContextOptions
from trchat.llama.cuda_graphs import DISABLED
from trchat.llama.model import ALL_LAYERS, Model
from trchat.model_store import identity_of
from trchat.recycling.cost import StepCosts
from trchat.storage.recycled import step_times
from trchat.storage.recycled.files import store_file
from trchat.storage.recycled.records import Change
from trchat.storage.recycled.store import RecycledStore

ON_GPU = ContextOptions(on_gpu=True, threads=1)
LONG, SHORT = 40.0, 0.1
"""Milliseconds of a step of two layers."""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with Model(make(tmp_path_factory.mktemp("graphs") / "tiny.gguf")) as model:
        yield model


@pytest.fixture
def no_graphs(monkeypatch):
    """Whether graphs are off, in a process that has not decided and could have them."""
    monkeypatch.setenv(DISABLED, "restored at the end")
    monkeypatch.delenv(DISABLED)
    monkeypatch.setattr(cuda_graphs, "_decided", False)
    monkeypatch.setattr("trchat.llama.cuda_graphs.records_graphs", lambda: True)
    return lambda: DISABLED in os.environ


def seen(model, *, graphs, plain, options=ON_GPU):
    """An earlier session with such steps."""
    identity = replace(identity_of(model.path), vocabulary=model.n_vocab)
    store = RecycledStore(store_file(identity), identity, pytest.fail)
    costs = StepCosts()
    costs.measured(1, plain)
    setting = costs_setting(model, options, ALL_LAYERS, graphs=graphs)
    store.save(Change(0, setting=setting, costs=step_times.to_text(costs)))
    store.close()


def choose(model, options=ON_GPU):
    choose_graphs(model.path, model, options, ALL_LAYERS, pytest.fail)


def test_a_first_session_has_graphs_and_the_next_does_without_where_steps_are_long(model, no_graphs):
    choose(model)
    assert not no_graphs()
    seen(model, graphs=True, plain=LONG)
    cuda_graphs._decided = False
    choose(model)
    assert no_graphs()


def test_short_steps_keep_their_graphs(model, no_graphs):
    seen(model, graphs=True, plain=SHORT)
    choose(model)
    assert not no_graphs()


@pytest.mark.parametrize("plain, without", [(LONG * 1.01, True), (LONG * 1.1, False)])
def test_what_was_tried_decides(model, no_graphs, plain, without):
    seen(model, graphs=True, plain=LONG)
    seen(model, graphs=False, plain=plain)
    choose(model)
    assert no_graphs() == without


def test_another_device_says_nothing_of_this_one(model, no_graphs, monkeypatch):
    seen(model, graphs=True, plain=LONG)
    monkeypatch.setattr("trchat.chat.remembering.backend", lambda: "CUDA0: another one")
    choose(model)
    assert not no_graphs()


@pytest.mark.parametrize("options", [replace(ON_GPU, on_gpu=False), ON_GPU])
def test_nothing_is_changed_where_no_graphs_are(model, no_graphs, monkeypatch, options):
    """On a CPU, and in builds for other GPUs."""
    seen(model, graphs=True, plain=LONG, options=options)
    if options.on_gpu:
        monkeypatch.setattr("trchat.llama.cuda_graphs.records_graphs", lambda: False)
    choose(model, options)
    assert not no_graphs()


def test_the_library_looks_only_once(model, no_graphs):
    choose(model)
    seen(model, graphs=True, plain=LONG)
    choose(model)
    assert not no_graphs()


def test_a_user_who_does_without_stays_so(model, no_graphs, monkeypatch):
    monkeypatch.setenv(DISABLED, "yes")
    seen(model, graphs=True, plain=SHORT)
    choose(model)
    assert os.environ[DISABLED] == "yes"


def test_costs_with_and_without_graphs_are_kept_apart(model):
    with_graphs, without = (
        costs_setting(model, ON_GPU, ALL_LAYERS, graphs=graphs) for graphs in (True, False)
    )
    assert with_graphs != without
    on_cpu = replace(ON_GPU, on_gpu=False)
    assert costs_setting(model, on_cpu, 0, graphs=True) == costs_setting(model, on_cpu, 0, graphs=False)


def test_the_step_that_hides_all_launches_grows_with_the_layers():
    assert better_without(4.3, None, 31)  # the two that were measured, on one machine
    assert not better_without(2.0, None, 29)
    assert not better_without(4.3, None, 80)
    assert not better_without(None, 4.0, 31)
