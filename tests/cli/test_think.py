"""``--think``, ``--template-arg``, ``models info --template`` as a user runs them, whole outputs compared."""

import json
from functools import partial

import pytest

from tests.tiny_gguf import add_vocabulary, make

ON_OFF = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n{% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% endif %}"
)
EFFORTS = (
    "{{ '<|im_start|>system\nReasoning: ' + (reasoning_effort | default('medium')) + '<|im_end|>\n' }}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>{{ 'assistant\n' }}"
)
PLAIN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)
ASKED = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
ENDS = tuple(
    f"trchat: {line}" for line in ("the answer is cut ", "the model ended ", "the reasoning took all ")
)
"""Lines on how an answer ended, which is chance with a tiny model."""
CANNOT = "trchat: the thinking of this model cannot be switched: its chat template has nothing for it\n"
TAGS = ("<think>", "</think>")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """``model(template)``: a tiny model with this chat template, and the number of tokens in a text."""
    folder = tmp_path_factory.mktemp("think")
    made = {}

    def get(template):
        if template not in made:
            vocabulary = partial(add_vocabulary, user_defined=TAGS)
            made[template] = make(folder / f"{len(made)}.gguf", template=template, vocabulary=vocabulary)
        return made[template]

    return get


@pytest.fixture(scope="module")
def count(model):
    """The number of tokens in a prompt."""
    from trchat.llama.model import Model

    with Model(model(PLAIN)) as loaded:
        yield lambda text: len(loaded.tokenize(text, parse_special=True))


def ask(program, path, *flags, env=None):
    """(tokens of the prompt, the text, stderr without ENDS) of a question answered with exit code 0."""
    done = program(
        "ask", "-m", str(path), "-n4", "-t0", "--json", "--draft=off", "--no-save", *flags, "Hi", env=env
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    lines = [line for line in done.stderr.splitlines(keepends=True) if not line.startswith(ENDS)]
    return told["prompt_tokens"], told["text"], "".join(lines)


@pytest.mark.parametrize(
    ("flags", "behind", "line"),
    [
        (("--think", "off"), "<think>\n\n</think>\n\n", ""),
        (("--think=high",), "", "the thinking of this model is only on or off: it is on"),
        (("--template-arg=enable_thinking=False", "--think=on"), "<think>\n\n</think>\n\n", ""),
        (("--template-arg=thinking=1",), "", "the chat template of this model reads no variable thinking"),
    ],
)
def test_on_and_off(program, model, count, flags, behind, line):
    tokens, _text, err = ask(program, model(ON_OFF), *flags)
    assert (tokens, err) == (count(ASKED + behind), line and f"trchat: {line}\n")


@pytest.mark.parametrize(
    ("flags", "effort", "line"),
    [
        ((), "medium", ""),
        (
            ("--think", "off"),
            "low",
            "this model has no switch to stop thinking; the least it knows is reasoning_effort=low",
        ),
        (
            ("--template-arg", 'reasoning_effort="a b"', "--template-arg", "x=[1]"),
            "a b",
            "the chat template of this model reads no variable x",
        ),
    ],
)
def test_efforts(program, model, count, flags, effort, line):
    tokens, _text, err = ask(program, model(EFFORTS), *flags)
    assert tokens == count(f"<|im_start|>system\nReasoning: {effort}<|im_end|>\n{ASKED}")
    assert err == (line and f"trchat: {line}\n")


def test_a_model_that_cannot_be_switched_says_so_and_answers_the_same(program, model):
    plain = ask(program, model(PLAIN))
    assert plain[2] == ""
    assert ask(program, model(PLAIN), "--think", "off") == (*plain[:2], CANNOT)


def test_a_model_of_its_own_in_the_configuration(program, model, count, home):
    path = model(ON_OFF)
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(f'[model."{path.stem}"]\nthink = "off"\n')
    assert ask(program, path)[0] == count(ASKED + "<think>\n\n</think>\n\n")
    assert ask(program, path, env={"TRCHAT_THINK": "on"})[0] == count(ASKED)


@pytest.mark.parametrize("keep", ["--keep", "--keep model"])
def test_the_line_mode_keeps_it_even_where_the_model_itself_knows_the_word(program, model, count, home, keep):
    path = model(ON_OFF)
    flags = ("--plain", "-m", str(path), "-n4", "-t0", "--draft=off")
    done = program(*flags, typed=f"/think off {keep}\n/think\n/quit\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "kept think for " in done.stdout and "Model:" not in done.stdout
    assert 'think = "off"' in (home / "config.toml").read_text("utf-8")
    assert ask(program, path)[0] == count(ASKED + "<think>\n\n</think>\n\n")


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (
            ("--think", "maybe"),
            "argument --think: invalid choice: 'maybe' (choose from auto, on, off, low, medium, high)",
        ),
        (
            ("--think-budget", "-1"),
            "argument --think-budget: must be a whole number from 0 to 2147483647, not '-1'",
        ),
        (("--template-arg", "thinking"), "argument --template-arg: must be NAME=VALUE, not 'thinking'"),
        (("--template-arg", "a b=1"), "argument --template-arg: must be NAME=VALUE, not 'a b=1'"),
        (("--template-arg", "messages=1"), "argument --template-arg: must be NAME=VALUE, not 'messages=1'"),
        (
            ("--template-arg", "x={1}"),
            "argument --template-arg: x must be JSON, such as true, 3, \"text\" or [1, 2], not '{1}'",
        ),
    ],
)
def test_wrong_values(here, flags, line):
    code, out, err = here("ask", *flags, "Hi")
    assert (code, out) == (2, "")
    assert err.replace(
        "'auto', 'on', 'off', 'low', 'medium', 'high'", "auto, on, off, low, medium, high"
    ) == (f"trchat ask: {line}; see 'trchat ask --help'\n")


def test_a_models_template_is_printed_as_it_is(program, model):
    done = program("models", "info", str(model(ON_OFF)), "--template")
    assert (done.returncode, done.stdout, done.stderr) == (0, ON_OFF + "\n", "")


def test_without_a_template_there_is_none_to_print(program, tmp_path):
    path = make(tmp_path / "bare.gguf", template=None)
    done = program("models", "info", str(path), "--template")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "trchat: bare has no chat template\n")
