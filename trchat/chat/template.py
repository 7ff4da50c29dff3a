"""The model's own chat template: a conversation becomes the prompt the model was trained on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trchat.chat.formats.find_format import Carrier, Message
from trchat.chat.template_process import TemplateProcess
from trchat.chat.tools.calls import ToolCall
from trchat.chat.tools.history import Shape
from trchat.errors import TrchatError, UsageError
from trchat.text.one_line import one_line

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
WAY_OUT = "use --template chatml, or a template of your own with --template FILE"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation.

    Attributes:
        role: ``system``, ``user``, ``assistant`` or ``tool``.
        reasoning: what an assistant thought before; the template decides whether the model sees it again.
        calls: of tools, by an assistant.
        call_id, name: of the call whose result a ``tool`` tells.
    """

    role: str
    content: str
    reasoning: str | None = None
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A prompt as somebody wrote it, special tokens spelled out, for no template to touch.

    Its tokens where it is given so.
    """

    text: str | tuple[int, ...]


class ChatTemplate:
    """Renders conversations by a Jinja source, in jinja2's sandbox and in a process of its own.

    Attributes:
        source: the Jinja source in use.
        is_fallback: whether it is ChatML for want of a better one.
        reads: names of the variables that it looks up, its own among them where they may be unset.
        carry: makes the message of an answer and its reasoning, as the template takes it; None where it does
            not, or is not known to.
        shape: what messages with calls of tools look like, as the template takes them.
        write_calls: writes calls as the model itself does, where the template leaves them out of messages.
    """

    def __init__(
        self, source: str | None, bos: str, eos: str, process: TemplateProcess | None = None
    ) -> None:
        """Compile ``source`` (None = ChatML); raises TrchatError when it is not a valid template.

        ``process`` is one that was started earlier, to save the wait; it is closed with the template.
        """
        self.is_fallback = source is None
        self.carry: Carrier | None = None
        self.shape = Shape()
        self.write_calls: Callable[[Sequence[ToolCall]], str] | None = None
        self.source = CHATML if source is None else source
        self._process = process or TemplateProcess()
        answer = self._process.request({"source": self.source, "bos": bos, "eos": eos})
        if "ok" not in answer:
            self.close()
            raise TrchatError(f"the chat template is broken: {one_line(answer['message'])}; {WAY_OUT}")
        self.reads = frozenset(answer["reads"])

    def close(self) -> None:
        """End the process. May be called twice."""
        self._process.close()

    def render(self, turns: Sequence[Turn], variables: Mapping[str, object] | None = None) -> str:
        """The prompt for the next answer; ``variables`` (what JSON can hold) are the template's to read.

        Raises UsageError when the template refuses the conversation, TrchatError when it fails.
        """
        given = variables or {}
        answer = self._rendered(turns, given)
        for change in (_fold_system_prompt, _one_call_each):
            if "ok" not in answer and (changed := change(turns)) is not None:
                second = self._rendered(changed, given)
                answer = second if "ok" in second else answer
        if "ok" in answer:
            return str(answer["ok"])
        reason = one_line(answer["message"])
        if answer["error"] == "refused":
            raise UsageError(f"the chat template refuses this conversation: {reason}; {WAY_OUT}")
        raise TrchatError(f"the chat template fails: {reason}; {WAY_OUT}")

    def sample(self, messages: Sequence[Message], variables: Mapping[str, object]) -> str | None:
        """What it makes of messages in their raw form; None where it fails."""
        answer = self._process.request({"messages": list(messages), "variables": variables})
        return str(answer["ok"]) if "ok" in answer else None

    def _rendered(self, turns: Sequence[Turn], variables: Mapping[str, object]) -> dict[str, Any]:
        return self._process.request({"messages": list(map(self._message, turns)), "variables": variables})

    def _message(self, turn: Turn) -> Message:
        if turn.role == "tool":
            return self.shape.result(turn.content, turn.call_id, turn.name)
        content = turn.content
        if turn.calls and self.write_calls is not None:
            content += self.write_calls(turn.calls)
        message: Message = {"role": turn.role, "content": content}
        if turn.reasoning and self.carry is not None:
            message = self.carry(content, turn.reasoning)
        return self.shape.calling(message, turn.calls) if turn.calls and not self.write_calls else message


def _fold_system_prompt(turns: Sequence[Turn]) -> list[Turn] | None:
    """Put the system prompt into the first user turn, for templates that know no system role (as Gemma's)."""
    if len(turns) < 2 or turns[0].role != "system" or turns[1].role != "user":
        return None
    return [Turn("user", f"{turns[0].content}\n\n{turns[1].content}"), *turns[2:]]


def _one_call_each(turns: Sequence[Turn]) -> list[Turn] | None:
    """One call a message, each with its result behind it, for templates that take no more (Llama 3's)."""
    if not any(len(turn.calls) > 1 for turn in turns):
        return None
    single: list[Turn] = []
    results = {turn.call_id: turn for turn in turns if turn.role == "tool"}
    told: set[str] = set()
    for turn in turns:
        if turn.role == "tool" and turn.call_id in told:
            continue
        if len(turn.calls) < 2:
            single.append(turn)
            continue
        for number, call in enumerate(turn.calls):
            first = number == 0
            single.append(
                replace(
                    turn,
                    content=turn.content if first else "",
                    reasoning=turn.reasoning if first else None,
                    calls=(call,),
                )
            )
            if call.id in results:
                single.append(results[call.id])
                told.add(call.id)
    return single
