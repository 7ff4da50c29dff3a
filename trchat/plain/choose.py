"""Choosing a model line by line."""

from trchat.catalog.download import download
from trchat.catalog.listing import Model
from trchat.errors import TrchatError
from trchat.plain.input import read_line
from trchat.plain.output import notice, write
from trchat.session.models import ListedModel, models_to_choose
from trchat.text.number import whole_number
from trchat.text.one_line import one_line


def write_models(in_use: Model | None = None) -> list[ListedModel]:
    """Write a numbered list of the models there are, and return it."""
    models, problems = models_to_choose(in_use)
    for problem in problems[:3]:
        notice(problem)
    for number, each in enumerate(models, 1):
        write(f"{number}. {one_line(each.model.name)} ({each.detail})\n")
    return models


def choose_model() -> str | None:
    """Ask which model to chat with; its path or name, or None at the end of the input."""
    models = write_models()
    if not models:
        write("There is no model here yet.\n")
    write("A number or a name chooses a model; 'get OWNER/NAME' downloads one from Hugging Face.\n")
    while True:
        line = read_line("Model")
        if line is None:
            write("\n")
            return None
        typed = line.strip()
        number = whole_number(typed)
        if number is not None and 1 <= number <= len(models):
            return str(models[number - 1].model.path)
        if typed.startswith("get "):
            try:
                return str(download(typed.removeprefix("get "), notice))
            except TrchatError as error:
                notice(str(error))
        elif number is not None:
            notice(f"there is no model {number}")
        elif typed:
            return typed
