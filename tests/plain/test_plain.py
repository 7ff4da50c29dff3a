"""The line mode as a user (or a pipe) has it: a process, its input, its whole output."""

import os

QUESTION = "Name the capital of France."
ANSWER = "The capital of France is Paris."


def chat(trchat, *args, lines, **kwargs):
    done = trchat(*args, input="".join(f"{line}\n" for line in lines).encode(), **kwargs)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_pipe_gets_the_line_mode_with_labels_and_no_colours(trchat):
    code, out, err = chat(trchat, "-t", "0", "--draft", "off", lines=[QUESTION, "/quit"])
    assert (code, err) == (0, "")
    assert f"You: Model: {ANSWER}\n" in out
    assert "\x1b" not in out and "│" not in out


def test_the_same_commands_work(trchat, tmp_path):
    lines = [
        QUESTION, "/set max_tokens 3", "/regen", "/continue", "/branch previous", "/rename Capitals",
        f"/save {tmp_path}/out.md", "/compare", "/nonsense", "/delete", "/undo", "/conversations",
    ]  # fmt: skip
    code, out, _ = chat(trchat, "-t", "0", "--draft", "off", lines=lines)
    assert code == 0
    assert "the answer is cut after 3 tokens" in out
    assert "the texts are identical" in out
    assert "no such command: /nonsense" in out
    assert "Capitals, 3 messages" in out
    assert ANSWER in (tmp_path / "out.md").read_text("utf-8")


def test_the_lens_tells_in_words_what_was_guessed(trchat):
    lines = ["/lens", "Say a b c d a b c d a b c d a b c d a b c d.", "/lens", QUESTION]
    code, out, _ = chat(trchat, "-t", "0", "--draft", "lookup", "-n", "40", lines=lines)
    assert code == 0
    assert out.count("tokens per step") == 1
    assert "guesses accepted" in out and "repeated text: " in out and "predictions learned" in out


def test_before_the_oldest_messages_are_left_out_it_is_said_once(trchat):
    lines = ["Repeat this: " + "one two three four five six seven eight nine ten " * 10, "/regen"]
    code, out, _ = chat(trchat, "-t", "0", "--draft", "off", "-c", "256", "-n", "60", lines=lines)
    assert code == 0
    assert out.count("The context is nearly full") == 1


def test_a_context_too_large_or_too_small_is_said_in_the_chats_own_words(trchat):
    lines = ["/set ctx 8448", "/set ctx 256", "word " * 300, "/persona"]
    code, out, _ = chat(trchat, "--draft", "off", lines=lines)
    assert code == 0
    assert out.count("was trained on at most 8192 tokens, the context holds 8448") == 1
    assert "the context holds 256; shorten it or raise /set ctx" in out
    assert "no persona yet; set one with /system TEXT, then /persona-save NAME" in out


def test_continue_takes_up_the_conversation(trchat):
    chat(trchat, "-t", "0", "--draft", "off", lines=[QUESTION])
    _, out, _ = chat(trchat, "-t", "0", "--draft", "off", "--continue", lines=["/quit"])
    assert f"You: {QUESTION}\nModel: {ANSWER}\n" in out


def test_a_dumb_terminal_gets_the_line_mode(monkeypatch):
    from argparse import Namespace

    from trchat.cli.chat import wants_plain

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setitem(os.environ, "TERM", "dumb")
    assert wants_plain(Namespace())
    monkeypatch.setitem(os.environ, "TERM", "xterm-256color")
    assert not wants_plain(Namespace())
    assert wants_plain(Namespace(plain=True))


def test_a_missing_model_is_an_exit_code(trchat):
    code, out, err = chat(trchat, "-m", "no-such-model", lines=["Hi"])
    assert (code, out) == (3, "")
    assert "no-such-model" in err


def test_lines_that_are_no_utf8_are_read_all_the_same_and_binary_ones_refused(trchat):
    done = trchat("-n", "1", input=b"caf\xe9\n\x00\n")
    assert done.returncode == 0
    assert b"this line is binary" in done.stdout
    assert "café" in trchat("history", "show").stdout.decode()


def test_continuing_what_is_not_there_is_an_error(trchat):
    assert chat(trchat, "--continue", lines=["Hi"])[0] == 2
    assert chat(trchat, "--continue", "7", lines=["Hi"])[0] == 2


def test_every_command_says_what_it_did_or_why_not(trchat, tmp_path, home):
    """One conversation that goes through all of them, on a model that hardly says anything."""
    home.mkdir()
    (home / "config.toml").write_text('[personas]\npirate = "Answer as a pirate."\n')
    (tmp_path / "notes.txt").write_text("flour")
    said = {
        "/help": "/rename TITLE: Rename this conversation",
        "/copy": "no answer yet",
        "/undo": "nothing to restore",
        "/rename early": "no conversation yet",
        "/conversations": "no conversation yet",
        "/persona-save none": "no system prompt to save; /system TEXT sets one",
        "Hi": "the answer is cut after 2 tokens",
        "/copy 1": "no code block in this message",
        "/set top_k 5": "top_k is now 5",
        "/set seed": "seed is now not set",
        "/settings": "model: SmolLM2-135M-Instruct.Q4_1 (the model that answers)\nsystem: not set",
        "/draft lookup": "draft is now lookup",
        "/system Be brief.": "System prompt set",
        "/persona-save short": "Saved; /persona short uses it",
        "/persona": "short: Be brief.",
        "/persona pirate": "System prompt set",
        "/persona nobody": "no persona is called 'nobody'; there are: pirate, short",
        "/model": "/model NUMBER or /model NAME switches",
        "/model nosuch": "no model is called 'nosuch'",
        "/model get nosuch": "'nosuch' is not OWNER/NAME",
        f"/attach {tmp_path}/notes.txt": "attached notes.txt (5 B, about 1 token); it is sent with",
        "/detach": "attachments removed",
        f"/attach {tmp_path}/nothing": "cannot read",
        "/edit": "Usage: /edit TEXT",
        "/edit Ho": "Model: ",
        "/branch previous": "You: Hi",
        "/branch": "no more branches on that side",
        "/branch 7": "/branch takes next or previous, not '7'",
        "/conversations 99999999999999999999": "there is no conversation",
        "/conversations ho": "1: Hi: Ho",
        "/conversations nowhere": "no conversation matches",
        "/conversations ": "1: Hi, 4 messages",
        "/rename  Ho": "renamed to Ho",
        "/conversations 1": "You: Hi",
        "/delete": "conversation deleted; /undo restores it",
        "/conversations  1": "conversation 1 was deleted",
        "/undo ": "conversation restored",
        "/theme": "/theme is for the full-screen chat",
        "/stop": "Ctrl+C stops an answer",
        "/new": "new conversation",
    }
    code, out, err = chat(trchat, "-t", "0", "-n", "2", "--draft", "off", lines=[*said, "/quit"])
    assert (code, err) == (0, "")
    at = 0
    for line, answer in said.items():
        found = out.find(answer, at)
        assert found >= 0, f"{line}: {answer}\n{out[at:]}"
        at = found + len(answer)
