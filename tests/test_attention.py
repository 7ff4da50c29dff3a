"""Which attention kernel is chosen, and what it is for."""

import pytest

from trchat.attention import BF16, F16, Q8_0, choose_attention, score_bytes, weights_round_alike


def choice(flash_attn="auto", cache_type="f16", on_gpu=False, alike=True, row_scores=4096 * 32):
    return choose_attention(
        flash_attn, cache_type, on_gpu=on_gpu, weights_alike=alike, batch=512, row_scores=row_scores
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ("auto", F16, BF16, True, 512)),
        ({"flash_attn": "on"}, ("on", F16, BF16, True, 512)),
        ({"flash_attn": "off"}, ("off", F16, F16, False, 512)),
        ({"alike": False}, ("off", F16, F16, False, 512)),
        ({"alike": False, "flash_attn": "on"}, ("on", F16, F16, False, 512)),
        ({"alike": False, "row_scores": 8192 * 32}, ("off", F16, F16, False, 256)),
        ({"alike": False, "row_scores": 16384 * 32}, ("off", F16, F16, False, 128)),
        ({"alike": False, "row_scores": 32768 * 32}, ("on", F16, F16, False, 512)),
        ({"alike": False, "row_scores": 32768 * 32, "flash_attn": "off"}, ("off", F16, F16, False, 128)),
        ({"cache_type": "q8_0", "flash_attn": "off"}, ("on", Q8_0, Q8_0, True, 512)),
        ({"cache_type": "q8_0", "alike": False}, ("on", Q8_0, Q8_0, False, 512)),
        ({"on_gpu": True}, ("auto", F16, F16, False, 512)),
        ({"on_gpu": True, "flash_attn": "off"}, ("off", F16, F16, False, 512)),
        ({"on_gpu": True, "cache_type": "q8_0"}, ("on", Q8_0, Q8_0, False, 512)),
    ],
)
def test_choices(arguments, expected):
    found = choice(**arguments)
    assert (found.flash, found.key_type, found.value_type, found.alike, found.batch) == expected


def test_scores_do_not_take_all_the_memory():
    assert score_bytes(4096 * 32, 512) == 1 << 28
    assert score_bytes(32768 * 8, 512) == 1 << 28
    assert score_bytes(1000, 512) == 4 * 1000 * 512


@pytest.mark.parametrize(
    ("file_type", "alike"), [(2, True), (3, True), (7, True), (1026, True), (1, False), (15, False)]
)
def test_files_whose_kernels_round_alike(file_type, alike):
    assert weights_round_alike(file_type) == alike
