"""``trchat ask`` as a user runs it: a subprocess, its whole output, its exit code."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.cli.asking import FAST, as_a_process, told
from tests.tiny_gguf import make

QUESTION = "Name the capital of France."
ANSWER = "The capital of France is Paris."


@pytest.fixture
def in_process(here, trchat):
    """As ``trchat``, for what needs no process of its own."""
    return as_a_process(here)


def ask_json(trchat, *args, **kwargs):
    done = trchat("ask", "--json", *args, **kwargs)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_the_answer_is_all_of_stdout_and_stderr_stays_empty(trchat):
    done = trchat("ask", "-t", "0", QUESTION)
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, ANSWER + "\n", b"")


def test_json_has_the_documented_fields(in_process):
    answer = ask_json(in_process, "-t", "0", "-n", "4", "--seed", "5", QUESTION)
    assert answer["text"] == "The capital of France"
    assert answer["reasoning"] is None
    assert answer["finish_reason"] == "length"
    assert answer["completion_tokens"] == len(answer["token_ids"]) == 4
    assert answer["prompt_tokens"] == 36
    assert answer["cached_prompt_tokens"] == 0
    assert answer["seed"] == 5
    assert answer["draft"].keys() == {"mode", "steps", "tokens_per_step", "drafted", "accepted", "hot_rows"}
    assert answer["draft"]["mode"] == "auto"
    assert answer["timings"].keys() == {
        "load_s",
        "prompt_s",
        "generate_s",
        "prompt_tokens_per_s",
        "tokens_per_s",
    }
    assert all(value > 0 for value in answer["timings"].values())


def test_the_token_that_ends_the_answer_is_among_the_ids(in_process):
    answer = ask_json(in_process, "-t", "0", QUESTION)
    assert answer["finish_reason"] == "stop"
    assert answer["text"] == ANSWER
    assert answer["token_ids"][-1] == 2  # <|im_end|>


@pytest.mark.parametrize("sampling", [("-t", "0"), ("-t", "0.8", "--seed", "7", "--repeat-penalty", "1.1")])
def test_every_draft_mode_says_the_same(here, demo_model, sampling):
    answers = {
        mode: told(here, *sampling, "-n", "25", "--draft", mode, "Write the word hello fifty times.")
        for mode in ("off", "lookup", "recycling", "auto")
    }
    assert all(answer["token_ids"] == answers["off"]["token_ids"] for answer in answers.values())
    assert [answer["draft"]["mode"] for answer in answers.values()] == list(answers)
    assert answers["off"]["draft"]["drafted"] == 0
    assert answers["recycling"]["draft"]["accepted"] > 0


@pytest.mark.slow
def test_a_random_seed_is_reported_and_repeats_the_answer(here, tiny_chat):
    args = ("-m", tiny_chat, "--threads", "1", "-t", "1.5", "-n", "12")
    first = told(here, *args, QUESTION)
    again = told(here, *args, "--seed", str(first["seed"]), QUESTION)
    assert first["token_ids"] == again["token_ids"]


@pytest.mark.slow
def test_piped_text_and_files_come_before_the_prompt(here, tiny_chat, tmp_path):
    note = tmp_path / "note.txt"
    note.write_bytes("Caf\u00e9 opens at nine.".encode("utf-16"))
    args = ("-m", tiny_chat, *FAST, "-n", "1")
    alone = told(here, *args, "Hello")
    piped = told(here, *args, "Hello", input=b"Hello\n")
    with_file = told(here, *args, "-f", note, "Hello")
    assert alone["prompt_tokens"] < piped["prompt_tokens"] < with_file["prompt_tokens"]
    only_piped = told(here, *args, input=b"Hello")
    assert only_piped["prompt_tokens"] == alone["prompt_tokens"]


def test_statistics_go_to_stderr(trchat):
    done = trchat("ask", "-t", "0", "-n", "5", "--draft", "off", "--stats", QUESTION)
    assert done.stdout.decode() == "The capital of France is\n"
    line, cut = done.stderr.decode().splitlines(keepends=True)
    assert cut == "trchat: the answer is cut after 5 tokens; a larger -n lets it go on\n"
    assert line.startswith("prompt of 36 tokens (0 cached), 5 tokens, ")
    assert line.endswith("tokens/s, 1.00 tokens per step, 0/0 drafted tokens accepted\n")


@pytest.mark.slow
def test_a_system_prompt_changes_the_prompt(here, tiny_chat):
    args = ("-m", tiny_chat, *FAST, "-n", "1")
    plain = told(here, *args, "Hello")
    system = told(here, *args, "-s", "Answer with one word and nothing else at all.", "Hello")
    assert plain["prompt_tokens"] != system["prompt_tokens"]


def test_a_prompt_beyond_the_context(in_process):
    done = in_process("ask", "-c", "256", "word " * 400)
    assert done.returncode == 4
    assert done.stdout == b""
    assert done.stderr.decode().startswith("trchat: the question has ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["-n", "0", "Hi"], 2, "must be a whole number from 1 to 2147483647, not '0'"),
        (["-n", "-3", "Hi"], 2, "must be a whole number from 1 to 2147483647, not '-3'"),
        (["-t", "-1", "Hi"], 2, "must be a number from 0 (greedy) to 100, not '-1'"),
        (["-t", "warm", "Hi"], 2, "must be a number from 0 (greedy) to 100, not 'warm'"),
        (["--draft", "magic", "Hi"], 2, "invalid choice: 'magic'"),
        ([], 2, "nothing to ask"),
        (["  "], 2, "nothing to ask"),
        (["-f", "no-such-file", "Hi"], 2, "cannot read no-such-file: No such file or directory"),
        (["-f", ".", "Hi"], 2, "cannot read .: "),
        (["-m", "no-such-model.gguf", "Hi"], 3, "no-such-model.gguf"),
    ],
)
def test_bad_input_is_one_line_and_the_documented_code(in_process, args, code, message):
    done = in_process("ask", *args)
    error = done.stderr.decode()
    assert done.returncode == code
    assert message in error.splitlines()[-1]
    assert "Traceback" not in error
    assert done.stdout == b""


def damaged(tmp_path, kind):
    path = tmp_path / f"{kind}.gguf"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("this is not a model")
    elif kind == "empty":
        path.touch()
    elif kind == "truncated":
        whole = make(path).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "vocabulary":
        make(path, weights=False)
    elif kind == "embedding":
        make(path, "bert")
    return path


@pytest.mark.parametrize("kind", ["folder", "text", "empty", "truncated", "vocabulary", "embedding"])
def test_a_file_that_cannot_answer_is_one_line_and_exit_3(in_process, tmp_path, kind):
    path = damaged(tmp_path, kind)
    done = in_process("ask", "-m", path, "Hi")
    assert done.returncode == 3
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1
    assert b"Traceback" not in done.stderr
    assert path.name.encode() in done.stderr


@pytest.mark.parametrize("raw", [b"\x00\x01\x02binary\xff", b"\xff\xfe\x00"])
def test_binary_stdin_is_refused(in_process, raw):
    done = in_process("ask", "What is this?", input=raw)
    assert done.returncode == 2
    assert b"standard input" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_model_that_is_not_there_says_how_to_find_one(in_process):
    done = in_process("ask", "-m", "surely-not-installed", "Hi")
    assert done.returncode == 3
    assert b"'trchat models' lists those there are" in done.stderr


@pytest.mark.parametrize("arch", ["qwen35", "mamba2"])
@pytest.mark.slow
def test_models_that_keep_a_state_say_the_same_in_every_mode(here, tmp_path, arch):
    path = make(tmp_path / f"{arch}.gguf", arch)
    question = "one two three four five six seven eight nine ten " * 13  # more than 600 tokens

    def ask(mode):
        return told(here, "-m", path, "-t", "0", "-n", "40", "--threads", "1", "--draft", mode, question)

    answers = {mode: ask(mode) for mode in ("off", "lookup", "recycling", "auto")}
    assert all(answer["token_ids"] == answers["off"]["token_ids"] for answer in answers.values())
    assert [answer["draft"]["mode"] for answer in answers.values()] == list(answers)
    assert answers["off"]["prompt_tokens"] > 600
    again = ask("recycling")  # goes on from what it has learned
    assert again["token_ids"] == answers["off"]["token_ids"]
    assert again["draft"]["accepted"] > 0


def test_a_model_without_a_template_is_answered_in_chatml_with_a_warning(in_process, tmp_path):
    path = make(tmp_path / "bare.gguf", template=None)
    done = in_process("ask", "-m", path, "-t", "0", "-n", "5", "Hi")
    assert done.returncode == 0
    assert b"using ChatML" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
def test_an_interrupt_keeps_what_there_is(demo_model):
    child = subprocess.Popen(
        [sys.executable, "-m", "trchat", "ask", "-t", "0", "Write a very long story about the sea."],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    first = child.stdout.read(20)
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGINT)
    rest, errors = child.communicate(timeout=120)
    assert child.returncode == 130
    assert len(first) == 20
    assert rest.endswith(b"\n")
    assert errors == b""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="pipes close differently there")
def test_a_reader_that_leaves_ends_it_quietly():
    child = subprocess.Popen(
        [sys.executable, "-m", "trchat", "ask", "-t", "0", "-n", "200", "Write a long story about the sea."],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    child.stdout.read(1)
    child.stdout.close()
    errors = child.stderr.read()
    assert child.wait(timeout=120) == 0
    assert errors == b""
