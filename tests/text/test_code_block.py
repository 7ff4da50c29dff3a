import pytest

from trchat.text.code_block import first_code_block


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
        ("  ```\n  x\n  ```", "  x\n"),
        ("```\n```", ""),
    ],
)
def test_the_first_fenced_block(text, code):
    assert first_code_block(text) == code
