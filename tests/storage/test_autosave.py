"""How often an answer in the making is saved."""

from trchat.storage.autosave import Autosave


def test_a_stream_is_saved_once_an_interval(clock):
    autosave = Autosave(interval_s=1.0, clock=clock)
    saved = []
    for step in range(1, 41):
        clock.now += 0.125
        if autosave.due():
            saved.append(step)
    assert saved == [8, 16, 24, 32, 40]


def test_after_a_pause_it_is_due_once(clock):
    autosave = Autosave(interval_s=1.0, clock=clock)
    clock.now += 100
    assert [autosave.due(), autosave.due()] == [True, False]
