"""The model's own chat template: a conversation becomes the prompt the model was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

from trchat.errors import TrchatError, UsageError

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation; ``role`` is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


class ChatTemplate:
    """Renders conversations; made from a Jinja source, which runs in jinja2's sandbox."""

    def __init__(self, source: str | None, bos: str, eos: str) -> None:
        """Compile ``source`` (None = ChatML); raises TrchatError when it is not a valid template."""
        from jinja2 import TemplateError
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        self.is_fallback = source is None
        try:
            self._formatter = Jinja2ChatFormatter(source or CHATML, eos_token=eos, bos_token=bos)
        except TemplateError as error:
            raise TrchatError(
                f"the model's chat template is broken ({error}); use --template chatml"
            ) from error

    def render(self, turns: Sequence[Turn]) -> str:
        """The prompt for the next answer; raises UsageError when the template refuses the conversation."""
        try:
            messages = [{"role": turn.role, "content": turn.content} for turn in turns]
            return str(self._formatter(messages=messages).prompt)
        except Exception as error:  # a template can raise whatever it likes
            folded = _fold_system_prompt(turns)
            if folded is not None:
                return self.render(folded)
            raise UsageError(f"the model's chat template refuses this conversation: {error}") from error


def _fold_system_prompt(turns: Sequence[Turn]) -> list[Turn] | None:
    """Put the system prompt into the first user turn, for templates that know no system role (as Gemma's)."""
    if len(turns) < 2 or turns[0].role != "system" or turns[1].role != "user":
        return None
    return [Turn("user", f"{turns[0].content}\n\n{turns[1].content}"), *turns[2:]]
