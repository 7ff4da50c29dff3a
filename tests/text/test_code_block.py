"""Code in Markdown: out of answers, and into questions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trchat.errors import UsageError
from trchat.text.code_block import (
    code_blocks,
    fenced_file,
    first_code_block,
    numbered_code_block,
    without_files,
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no code", None),
        ("a ``` b", None),
        ("```\nx = 1\n```", "x = 1\n"),
        ("Here:\n\n```python\nx = 1\ny = 2\n```\nand\n```\nz\n```\n", "x = 1\ny = 2\n"),
        ("````\n```\ninner\n```\n````", "```\ninner\n```\n"),
        ("~~~ sh\nls\n~~~", "ls\n"),
        ("```\nnever closed", "never closed"),
        ("```python", ""),
        ("  ```\n  x\n    y\n  ```", "x\n  y\n"),
        ("```\n```", ""),
        ("1. Try:\n\n     ```sh\n     ls\n     ```\n", "ls\n"),
        ("```markdown\n# A\n```bash\nls\n```\nB\n```\nand", "# A\n```bash\nls\n```\nB\n"),
        (
            "```md\n```sh\na\n```\n~~~ c\nb\n~~~\n```py\nc\n```\n```",
            "```sh\na\n```\n~~~ c\nb\n~~~\n```py\nc\n```\n",
        ),
        ("```markdown\n# A\n```\n```bash\nls\n```", "# A\n"),
        ("```markdown\n````sh\nls\n````\n```", "````sh\nls\n````\n"),
        ("````markdown\n```sh\nls\n```\n````\nz", "```sh\nls\n```\n"),
        ("```bash\ncat <<E\n```py\nE\n```", "cat <<E\n```py\nE\n"),
    ],
)
def test_the_first_fenced_block(text, code):
    found = first_code_block(text)
    assert (found and found.text) == code


def test_a_block_is_named_by_its_number():
    text = "```\na\n```\n```\nb\n```"
    assert [numbered_code_block(text, number) for number in ("1", "2", "")] == ["a", "b", "b"]
    for number in ("0", "3", "²", "one", "-1", "9" * 5000):
        with pytest.raises(UsageError, match="there are 2 code blocks"):
            numbered_code_block(text, number)
    with pytest.raises(UsageError, match="no code block in this message"):
        numbered_code_block("a", "1")


def test_all_of_them_in_order():
    text = "```\na\n```\nwords\n~~~ py\nb\n```\n~~~\n````\nnot\n```\nclosed"
    assert code_blocks(text) == [("", "a\n"), ("py", "b\n```\n"), ("", "not\n```\nclosed")]
    assert code_blocks("no code") == []


@given(st.lists(st.sampled_from(["`", "```", "~~~", "\n", "x = 1", " "])).map("".join))
def test_a_file_in_a_question_is_closed_by_its_own_fence_only(text):
    block = fenced_file("a.py", text)
    assert block.startswith("a.py:\n```")
    assert first_code_block(block.split("\n", 1)[1]).text == text + "\n"
    assert without_files(f"{block}\n\n{block}\n\nWhat is it?") == "What is it?"


@pytest.mark.parametrize(
    "text", ["", "What is it?", "a.py:\nno fence", "Look:\n```\nnever closed", "a.py:\n```\nx\n```"]
)
def test_a_question_without_files_stays_and_so_do_files_without_a_question(text):
    assert without_files(text) == text
