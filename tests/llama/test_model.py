"""A real model: metadata, vocabulary, text to tokens and back."""

from functools import partial

import pytest

from tests.tiny_gguf import add_vocabulary
from trchat.errors import ModelError
from trchat.llama.model import Model


def test_metadata_vocabulary_and_text_there_and_back(demo_model):
    seen = []
    with Model(demo_model, progress=seen.append) as model:
        assert model.architecture == "llama"
        assert model.n_vocab == 49152
        assert model.n_ctx_train == 8192
        assert model.can_draft
        assert "<|im_start|>" in (model.chat_template or "")
        for text in ["Hello, world!", "naïve 日本語 🏳️‍🌈", "  two\n\n  lines\t"]:
            tokens = model.tokenize(text)
            assert b"".join(map(model.piece, tokens)).decode() == text
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    model.close()  # a second time does no harm
    assert model.can_draft  # what was read stays readable


def test_control_tokens_are_only_read_as_such_when_wanted(demo_model):
    with Model(demo_model) as model:
        (token,) = model.tokenize("<|im_end|>", parse_special=True)
        assert token in model.end_tokens
        assert token not in model.tokenize("<|im_end|>")
        assert model.piece(token) == b""
        assert model.piece(token, special=True) == b"<|im_end|>"


def test_the_token_behind_a_whole_answer_ends_the_generation(tiny):
    """gpt-oss's own end of a turn, ``<|end|>``, ends a message of several."""
    marks = ("<pad>", "<|start|>", "<|return|>", "<|end|>", "<|call|>")
    with Model(tiny(vocabulary=partial(add_vocabulary, control=marks))) as model:
        assert model.piece(model.end_token, special=True) == b"<|return|>"
        assert model.end_token in model.end_tokens
        assert model.special_ids["<|end|>"] not in model.end_tokens


def test_a_file_that_is_no_model(tmp_path):
    path = tmp_path / "no.gguf"
    path.write_bytes(b"GGUF but not really")
    with pytest.raises(ModelError, match=r"cannot load .*no\.gguf: "):
        Model(path)


def test_embedding_models_are_refused(tiny):
    with pytest.raises(ModelError, match="is an embedding model"):
        Model(tiny("bert"))


@pytest.mark.parametrize("arch", ["mamba", "qwen35"])
def test_models_that_keep_a_state_draft_chains(tiny, arch):
    with Model(tiny(arch)) as model:
        assert (model.drafts, model.keeps_state, model.copies_state) == ("chains", True, True)
    with Model(tiny()) as model:
        assert (model.drafts, model.keeps_state) == ("trees", False)
