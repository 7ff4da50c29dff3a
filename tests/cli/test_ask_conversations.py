"""``trchat ask`` keeps conversations, goes on with them, and says what it leaves out."""

import json

import pytest

from tests.cli.asking import FAST, history, told, without_cut
from tests.tiny_gguf import make

pytestmark = pytest.mark.slow


def test_question_and_answer_are_kept(here, tiny_chat):
    answer = told(here, "-m", tiny_chat, *FAST, "-s", "Be brief.", "Hi")
    assert history() == [
        (answer["conversation"], "system", "Be brief.", None, False),
        (answer["conversation"], "user", "Hi", None, False),
        (answer["conversation"], "assistant", answer["text"], answer["finish_reason"], False),
    ]


def test_a_conversation_is_named_after_what_was_asked_not_what_came_with_it(here, tiny_chat, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("Bread needs flour.")
    told(here, "-m", tiny_chat, *FAST, "What is missing?", "-f", notes)
    told(here, "-m", tiny_chat, *FAST, "Summarise this.", input=b"diff --git a/x b/x\n")
    told(here, "-m", tiny_chat, *FAST, input=b"only piped\nmore\n")
    _, out, _ = here("history")
    assert [line.split("\t")[-1] for line in out.splitlines()[1:]] == [
        "only piped",
        "Summarise this.",
        "What is missing?",
    ]


def test_nothing_is_kept_with_no_save(here, tiny_chat, home):
    assert told(here, "-m", tiny_chat, *FAST, "--no-save", "Hi")["conversation"] is None
    assert history() == []


def test_without_a_model_no_file_is_made(here, home):
    assert here("ask", "-m", "nobody", "Hi")[0] == 3
    assert not home.exists()


def test_nothing_is_kept_of_a_question_that_never_got_to_the_model(here, tiny_chat):
    assert here("ask", "-m", tiny_chat, "-c", "256", "word " * 400)[0] == 4
    assert here("ask", "-m", tiny_chat, "--template", "no-such-file", "Hi")[0] == 2
    assert history() == []


def test_a_conversation_goes_on(here, tiny_chat):
    first = told(here, "-m", tiny_chat, *FAST, "One")
    other = told(here, "-m", tiny_chat, *FAST, "Another")
    again = told(here, *FAST, "--continue", str(first["conversation"]), "Two")
    latest = told(here, *FAST, "Three", "--continue")
    assert again["conversation"] == first["conversation"] == latest["conversation"] != other["conversation"]
    assert again["model"] == "Tiny llama"  # the conversation's, not the default
    assert latest["prompt_tokens"] > again["prompt_tokens"] > first["prompt_tokens"]
    texts = [text for each, _role, text, *_ in history() if each == first["conversation"]]
    assert texts == ["One", first["text"], "Two", again["text"], "Three", latest["text"]]


def test_continue_takes_the_question_where_the_id_would_be(here, tiny_chat):
    first = told(here, "-m", tiny_chat, *FAST, "One")
    again = told(here, *FAST, "--continue", "And", "two?")
    assert again["conversation"] == first["conversation"]
    assert "And two?" in [text for _, _, text, *_ in history()]


def test_what_the_chat_began_is_gone_on_with_by_the_same_model(here, tiny_chat):
    code, out, _ = here("-m", tiny_chat, *FAST, "--plain", input=b"Hi\n/quit\n")
    assert code == 0 and "Model: " in out
    answer = told(here, *FAST, "--continue", "And again?")
    assert answer["model"] == "Tiny llama"
    assert [text for _, role, text, *_ in history() if role == "user"] == ["Hi", "And again?"]


@pytest.mark.parametrize("number", ["7", "9" * 30])
def test_a_conversation_that_is_not_there_is_one_line(here, tiny_chat, number):
    code, out, err = here("ask", "-m", tiny_chat, "--continue", number, "Hi")
    assert (code, out) == (2, "")
    assert err.startswith("trchat: there is no conversation") and err.count("\n") == 1


def test_continue_without_saving_reads_only(here, tiny_chat):
    told(here, "-m", tiny_chat, *FAST, "One")
    before = history()
    more = told(here, *FAST, "--no-save", "--continue", "Two")
    assert more["prompt_tokens"] > 30
    assert history() == before


def test_a_new_system_prompt_takes_the_place_of_the_old(here, tiny_chat):
    first = told(here, "-m", tiny_chat, *FAST, "-s", "S" * 100, "One")
    kept = told(here, *FAST, "--no-save", "--continue", "Two")
    replaced = told(here, *FAST, "--no-save", "-s", "s", "--continue", "Two")
    assert kept["prompt_tokens"] - replaced["prompt_tokens"] == 99
    assert first["conversation"]


def test_a_conversation_whose_model_is_gone_goes_on_with_another(here, tmp_path, tiny_chat, monkeypatch):
    lost = make(tmp_path / "lost.gguf")
    told(here, "-m", lost, *FAST, "One")
    lost.unlink()
    monkeypatch.setenv("TRCHAT_MODEL", str(tiny_chat))
    code, out, err = here("ask", "--json", *FAST, "--continue", "Two")
    assert code == 0
    assert json.loads(out)["prompt_tokens"] > 30
    assert "is gone" in err
    assert without_cut(err).count("\n") == 1


def test_what_does_not_fit_is_dropped_and_said(here, tiny_chat):
    long = "word " * 20
    told(here, "-m", tiny_chat, *FAST, "-c", "512", long)
    for _ in range(4):
        told(here, *FAST, "-c", "512", "--continue", "1", long)
    code, out, err = here("ask", "--json", *FAST, "-c", "512", "--continue", long)
    assert code == 0
    assert json.loads(out)["dropped_turns"] >= 1
    assert err.startswith("trchat: the conversation is longer than the context: its oldest ")
    assert without_cut(err).count("\n") == 1
    assert here("ask", "-q", *FAST, "-c", "512", "--continue", long)[2] == ""


@pytest.mark.parametrize("mode", ["off", "recycling"])
def test_the_answer_that_fills_the_context(here, tiny_chat, tmp_path, mode):
    endless = tmp_path / "endless.gbnf"
    endless.write_text('root ::= "ab" root')
    args = ("-m", tiny_chat, "-t", "0", "--threads", "1", "-c", "256", "--grammar", endless, "--draft", mode)
    code, out, err = here("ask", "--json", *args, "x" * 150)
    answer = json.loads(out)
    assert (code, answer["finish_reason"]) == (1, "context")
    assert err == "trchat: the answer is cut because the context is full; a larger --ctx lets it go on\n"
    assert answer["prompt_tokens"] + answer["completion_tokens"] == 256


def test_a_long_prompt_is_read_in_batches(here, tiny_chat):
    answer = told(here, "-m", tiny_chat, *FAST, input=b"line of text\n" * 120)
    assert answer["prompt_tokens"] > 1024


def test_trouble_with_the_history_is_one_line_and_the_answer_comes(here, tiny_chat, home):
    home.mkdir()
    (home / "conversations.db").write_bytes(b"this is no database" * 500)
    code, out, err = here("ask", "-m", tiny_chat, *FAST, "Hi")
    assert code == 0
    assert out
    assert without_cut(err).count("\n") == 1
    assert "conversations.db" in err
