from functools import partial

import pytest

from tests.chat.families import FAMILIES
from tests.chat.letters import Templates
from tests.tiny_gguf import add_sentencepiece, add_vocabulary, make
from trchat.chat.prompt import PromptBuilder
from trchat.chat.template import ChatTemplate
from trchat.llama.model import Model


@pytest.fixture(scope="session")
def templates():
    """One process for all templates."""
    templates = Templates()
    yield templates
    templates.close()


@pytest.fixture
def process(templates):
    """For one ``ChatTemplate``, or one after the other."""
    return templates.process()


@pytest.fixture(scope="session")
def built(tmp_path_factory, templates):
    """``built(name)``: (family, model, template, builder), vocabulary and all."""
    folder = tmp_path_factory.mktemp("families")
    made: dict = {}

    def get(name):
        if name not in made:
            family = FAMILIES[name]
            add = add_sentencepiece if family.spm else add_vocabulary
            vocabulary = partial(add, control=family.control, user_defined=family.user_defined)
            model = Model(make(folder / f"{name}.gguf", template=family.template, vocabulary=vocabulary))
            template = ChatTemplate(family.template, model.bos_text, model.eos_text, templates.process())
            made[name] = (family, model, template, PromptBuilder(template, model))
        return made[name]

    yield get
    for _family, model, template, _builder in made.values():
        template.close()
        model.close()
