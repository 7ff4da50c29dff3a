"""Which file of a repository ``REPO[:FILE]`` means."""

import pytest

from trchat.catalog.download import RemoteFile, choose, parse_spec
from trchat.errors import ModelError, UsageError

REPO = "org/repo"


def chosen(wanted, *names):
    files = [RemoteFile(name, 2_000_000, "0" * 64) for name in names]
    return [file.name for file in choose(REPO, files, wanted)]


def refused(error, wanted, *names):
    with pytest.raises(error) as caught:
        chosen(wanted, *names)
    assert "\n" not in str(caught.value)
    return str(caught.value)


MANY = (
    "m-BF16.gguf",
    "m-IQ4_NL.gguf",
    "m-Q4_K_M.gguf",
    "m-Q4_K_S.gguf",
    "m-Q8_0.gguf",
    "mmproj-F16.gguf",
    "README.md",
)


def test_the_only_model_is_taken():
    assert chosen("", "a.gguf", "README.md", "mmproj-a.gguf") == ["a.gguf"]


def test_of_several_the_preferred_quantisation_is_taken():
    assert chosen("", *MANY) == ["m-Q4_K_M.gguf"]
    assert chosen("", *MANY, "m-Q4_0.gguf") == ["m-Q4_0.gguf"]


def test_a_file_or_an_unambiguous_part_of_one():
    assert chosen("m-Q8_0.gguf", *MANY) == ["m-Q8_0.gguf"]
    assert chosen("q8_0", *MANY) == ["m-Q8_0.gguf"]
    assert chosen("bf16", *MANY) == ["m-BF16.gguf"]
    assert chosen("Q4_K", "m-Q4_K.gguf", "m-Q4_K_M.gguf") == ["m-Q4_K.gguf"]
    assert chosen("mmproj-F16.gguf", *MANY) == ["mmproj-F16.gguf"], "asked for by its whole name"


def test_all_parts_of_a_split_model():
    parts = [f"sub/m-Q4_0-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    assert chosen("", *parts, "sub/m-Q8_0.gguf") == parts
    assert chosen("q4_0", *parts, "sub/m-Q8_0.gguf") == parts


def test_what_cannot_be_chosen_is_asked_for():
    assert refused(UsageError, "", "a.gguf", "b.gguf") == (
        "org/repo has 2 models; choose one with org/repo:FILE: a.gguf (2.0 MB), b.gguf (2.0 MB)"
    )
    assert refused(UsageError, "Q4_K", *MANY) == (
        "'Q4_K' matches 2 files in org/repo; choose one of: m-Q4_K_M.gguf (2.0 MB), m-Q4_K_S.gguf (2.0 MB)"
    )
    assert (
        refused(UsageError, "Q2", "a.gguf")
        == "'Q2' matches no file in org/repo; choose one of: a.gguf (2.0 MB)"
    )
    assert refused(ModelError, "", "model.safetensors") == "org/repo has no GGUF model"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("org/Repo-GGUF", ("org/Repo-GGUF", "")),
        (" org/Repo-GGUF:Q4_0 ", ("org/Repo-GGUF", "Q4_0")),
        ("hf.co/org/repo:Q4", ("org/repo", "Q4")),
        ("org/repo/file.gguf", ("org/repo", "file.gguf")),
        ("org/repo/sub/file.gguf", ("org/repo", "sub/file.gguf")),
        ("https://huggingface.co/org/repo", ("org/repo", "")),
        ("https://huggingface.co/org/repo/", ("org/repo", "")),
        ("https://huggingface.co/org/repo/tree/main", ("org/repo", "")),
        ("https://huggingface.co/org/repo/blob/main/a%20b.gguf", ("org/repo", "a b.gguf")),
        ("https://huggingface.co/org/repo/resolve/main/sub/f.gguf?download=true", ("org/repo", "sub/f.gguf")),
        ("huggingface.co/org/repo?show_file_info=x.gguf", ("org/repo", "")),
    ],
)
def test_what_people_type_and_paste(typed, meant):
    assert parse_spec(typed) == meant


@pytest.mark.parametrize("typed", ["", "repo", "https://example.org/a/b", "a b/c", "org/repo:", "C:\\m.gguf"])
def test_what_is_no_address_of_a_model(typed):
    with pytest.raises(UsageError):
        parse_spec(typed)
