"""Which attention kernel is chosen, and what it is for."""

import pytest

from trchat.attention import BF16, F16, Q8_0, Rounding, choose_attention, rounding_of, score_bytes


def choice(
    flash_attn="auto",
    cache_type="f16",
    on_gpu=False,
    alike=True,
    output=True,
    latent=False,
    row_scores=4096 * 32,
):
    return choose_attention(
        flash_attn,
        cache_type,
        on_gpu=on_gpu,
        rounding=Rounding(alike, output),
        latent=latent,
        batch=512,
        row_scores=row_scores,
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ("auto", F16, BF16, True, 512)),
        ({"flash_attn": "on"}, ("on", F16, BF16, True, 512)),
        ({"latent": True}, ("auto", BF16, BF16, True, 512)),
        ({"latent": True, "alike": False}, ("off", F16, F16, False, 512)),
        ({"latent": True, "on_gpu": True}, ("auto", F16, F16, False, 512)),
        ({"output": False}, ("auto", F16, BF16, False, 512)),
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


def test_an_output_of_another_type_changes_logits_alone():
    found = choice(output=False)
    assert found.keeps_order and not found.alike
    assert choice().keeps_order


Q4_0_, Q6_K, F32 = 2, 14, 0
LAYER = [("blk.0.attn_q.weight", (64, 64), Q4_0_), ("blk.0.attn_norm.weight", (64,), F32)]
EMBEDDING = [("token_embd.weight", (64, 320), Q4_0_)]


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        ([], Rounding(True, True)),
        ([("output.weight", (64, 320), 8)], Rounding(True, True)),
        ([("output.weight", (64, 320), Q6_K)], Rounding(True, False)),
        ([("blk.0.ffn_down.weight", (64, 64), Q6_K)], Rounding(False, True)),
        ([("blk.0.ffn_gate_inp.weight", (64, 8), F32)], Rounding(False, True)),
        ([("blk.0.ssm_dt.weight", (4, 64), F32)], Rounding(False, True)),
        ([("per_layer_model_proj.weight", (64, 64), F32)], Rounding(False, True)),
        ([("blk.0.altup_router.weight", (64, 4), F32)], Rounding(False, True)),
        ([("blk.0.ssm_conv1d.weight", (4, 64), F32)], Rounding(True, True)),
        ([("blk.0.shortconv.conv.weight", (3, 64), F32)], Rounding(True, True)),
        ([("blk.0.ssm_norm.weight", (32, 2), F32)], Rounding(True, True)),
        ([("blk.0.ssm_a", (16, 64), F32)], Rounding(True, True)),
        ([("blk.0.ffn_gate_exps.bias", (64, 8), F32)], Rounding(True, True)),
        ([("blk.0.time_mix_lerp_w.weight", (64, 1, 1), F32)], Rounding(True, True)),
        ([("blk.0.time_mix_lerp_fused.weight", (64, 1, 1, 5), F32)], Rounding(True, True)),
        ([("blk.0.time_mix_w1.weight", (64, 160), F32)], Rounding(False, True)),
        ([("per_layer_token_embd.weight", (64, 320), Q6_K)], Rounding(True, True)),
    ],
)
def test_tensors_that_are_multiplied_decide(tensors, expected):
    assert rounding_of([*LAYER, *EMBEDDING, *tensors]) == expected


def test_an_embedding_that_is_the_output_too_counts():
    other = [("token_embd.weight", (64, 320), Q6_K)]
    assert rounding_of([*LAYER, *other]) == Rounding(True, False)
    assert rounding_of([*LAYER, *other, ("output.weight", (64, 320), 8)]) == Rounding(True, True)
