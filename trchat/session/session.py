"""One chat with one model: what a front end asks for, turned into orders to the engine and the store."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trchat.chat.settings import template_source
from trchat.chat.template import Turn
from trchat.chat.thinking_switch import CANNOT, NO_SWITCH, ThinkingSwitch
from trchat.config_file import change_config, setting_key
from trchat.config_rules import MODEL
from trchat.errors import UsageError
from trchat.session.host import EngineHost
from trchat.session.job import Comparison, Job
from trchat.session.thread import Thread
from trchat.startup import Prepared, note_used, prepare
from trchat.storage.records import Message

if TYPE_CHECKING:
    from trchat.config import Settings

FULL = 0.85
"""Share of the room for messages that may be used before it is said."""

RELOADS = (
    "ctx", "threads", "gpu_layers", "split_mode", "tensor_split", "main_gpu", "rpc",
    "cache_type", "flash_attn", "kv_disk", "recall", "template",
)  # fmt: skip
"""Settings that the context is made with; the others take effect at the next answer."""


class Session:
    """The owner of the settings, the conversation and the engine's host. Used on one thread."""

    def __init__(self, flags: Mapping[str, object], prepared: Prepared, host: EngineHost, thread: Thread):
        """``flags``: what the user said on the command line; later changes are laid over it."""
        self.host = host
        self.thread = thread
        self.prepared = prepared
        self._flags = dict(flags)
        self._system: str | None = prepared.settings.system
        self._continued: set[int] = set()
        self._warned: set[int] = set()
        self.changed: frozenset[str] = frozenset()
        """Settings that have another value than the session began with, by ``change``."""
        self.n_ctx = prepared.ctx
        """Tokens the context holds; what was asked for until the model is ready."""
        self.loaded = False
        """Whether there is a model to answer; what is asked before waits for it."""
        self.thinking = NO_SWITCH
        """What the model's chat template has to switch thinking; nothing until the model is ready."""
        self.writing: int | None = None
        """The answer being written, until its ``Ended`` is taken by ``ended``."""

    @property
    def settings(self) -> "Settings":
        """The settings in force."""
        return self.prepared.settings

    @property
    def system(self) -> str | None:
        """The system prompt in force."""
        return self._system or None

    @property
    def persona(self) -> str:
        """The persona whose text is the system prompt; ``system prompt`` for another text, else empty."""
        system = self.system
        named = (name for name, placed in self.prepared.config.personas.items() if placed.value == system)
        return next(named, "system prompt") if system else ""

    @property
    def busy(self) -> bool:
        """Whether an answer is being written."""
        return self.writing is not None

    def change(self, **values: str | int | float | None) -> bool:
        """Change settings for this session; None returns to the configured value. True if the model reloads.

        Raises UsageError or ModelError, and then nothing has changed.
        """
        flags = {**self._flags, **values}
        flags = {name: value for name, value in flags.items() if value is not None}
        prepared = prepare(flags)
        if values.get("template"):
            template_source(prepared.settings.template)
        before, self.prepared = self.prepared, prepared
        self._flags = flags
        self.changed = frozenset(name for name in {*self.changed, *values} if name in flags)
        if "system" in values:
            self._system = self.settings.system
        moved = before.model.path != self.prepared.model.path or before.ctx != self.prepared.ctx
        if moved:
            self.thinking = NO_SWITCH
        if moved or any(getattr(before.settings, each) != getattr(self.settings, each) for each in RELOADS):
            self.n_ctx, self.loaded = self.prepared.ctx, False
            self.host.load(self.prepared)
            return True
        if before.settings.draft != self.settings.draft:
            self.host.set_draft(self.settings.draft)
        return False

    def keep(self, name: str, scope: str = "all") -> str:
        """Make a setting's present value the default, for ``all`` models or this ``model``.

        Returns what to say of it. Raises UsageError or TrchatError where the file cannot be changed.
        """
        value = self._system if name == "system" else getattr(self.settings, name)
        model = self.prepared.model
        if name == "model":
            value = model.lasting_name
        for_model = scope == "model" and name in MODEL
        path = change_config(("model", model.name, name) if for_model else setting_key(name), value)
        flags = {each: flag for each, flag in self._flags.items() if each != name}
        prepared = prepare(flags)
        whom = f"for {model.name}" if for_model else "for all models"
        told = f"kept {name} {whom} in {path.name}" if value is not None else f"{name} has no default now"
        if getattr(prepared.settings, name) == getattr(self.settings, name):
            self._flags, self.prepared, self.changed = flags, prepared, self.changed - {name}
        elif name != "model":
            told += f"; {prepared.settings.origins[name]} overrides it at the next start"
        return told

    def open(self, conversation_id: int) -> None:
        """Go on with an earlier conversation and its system prompt."""
        self.must_be_free()
        self.thread.open(conversation_id)
        self._system = self.thread.system() or self.settings.system

    def new(self) -> None:
        """Begin another conversation with the next question."""
        self.must_be_free()
        self.thread.clear()
        self._system = self.settings.system

    def ask(self, text: str) -> Message:
        """Ask; returns the answer that begins."""
        self._may_write()
        if not text.strip():
            raise UsageError("nothing to send")
        return self._answer(self.thread.add_question(text, self.system))

    def regenerate(self, answer_id: int | None = None) -> Message:
        """Answer the same question anew, on a branch of its own, by another seed."""
        self._may_write()
        if answer_id is None:
            return self._answer(self.thread.last_question())
        message = self.thread.get(answer_id)
        return self._answer(message if message.role == "user" else self.thread.question_of(message))

    def retry(self) -> Message | None:
        """Load the model again after a crash; returns the answer that begins, where one was broken off."""
        self.must_be_free()
        self.n_ctx, self.loaded = self.prepared.ctx, False
        self.host.load(self.prepared, despite_crash=True)
        last = self.thread.messages[-1] if self.thread.messages else None
        broken_off = last is not None and last.role == "assistant" and last.finish_reason == "error"
        return self.regenerate(last.id) if last is not None and broken_off else None

    def edit(self, message_id: int, text: str) -> Message:
        """Ask a question in other words, on a branch of its own; the old branch stays."""
        self._may_write()
        if not text.strip():
            raise UsageError("nothing to send")
        message = self.thread.store.edit_message(self.thread.get(message_id).id, text)
        self.thread.reload()
        return self._answer(message)

    def proceed(self, answer_id: int | None = None) -> Message:
        """Go on with an answer that was cut or stopped. Raises UsageError when it is complete."""
        self._may_write()
        answer = self.thread.get(answer_id)
        if answer.role != "assistant" or answer.finish_reason == "stop":
            raise UsageError("this answer is complete; ask for more instead")
        question = self.thread.question_of(answer)
        if not self.thread.store.reopen_answer(answer.id):
            raise UsageError("that answer is gone")
        self._continued.add(answer.id)
        self._write(answer, question, opening=Turn("assistant", answer.text, answer.reasoning))
        self.thread.reload()
        return self.thread.get(answer.id)

    def compare(self, answer_id: int | None = None) -> Message:
        """Write an answer once more without drafts, for comparison; returns the answer compared with."""
        self.must_be_free()
        answer = self.thread.get(answer_id)
        seed, mode = answer.settings.get("seed"), str(answer.settings.get("draft", "off"))
        if not isinstance(seed, int) or not answer.completion_tokens or not answer.tokens_per_s:
            raise UsageError("this answer was not generated here, so there is nothing to compare with")
        if answer.id in self._continued:
            raise UsageError("a continued answer cannot be compared; regenerate it first")
        question = self.thread.question_of(answer)
        noted = answer.settings
        system = noted.get("system", self.system)
        turns = self.thread.turns(question, system if isinstance(system, str) else None)
        # As it was asked then, whatever was changed since.
        then: dict[str, Any] = {name: noted[name] for name in NOTED if name in noted}
        self.writing = answer.id
        job = Job(answer.id, turns, replace(self.settings, **then), seed, conversation=self._saved_in(answer))
        self.host.compare(Comparison(job, answer.text, mode, answer.completion_tokens, answer.tokens_per_s))
        return answer

    def stop(self) -> None:
        """Stop the answer being written and keep it."""
        self.host.stop()

    def ready(self, n_ctx: int, thinking: ThinkingSwitch = NO_SWITCH) -> None:
        """Take note that the model is there, with a context of ``n_ctx`` tokens and this switch."""
        self.n_ctx, self.loaded, self.thinking = n_ctx, True, thinking
        note_used(self.prepared)

    def template(self) -> str | None:
        """The chat template's source: the settings', else the model's own."""
        source = template_source(self.settings.template)
        return self.prepared.header.text("tokenizer.chat_template") if source is None else source

    def about_thinking(self) -> str:
        """One line on the mode in force, or on what of it this model cannot do."""
        mode = self.settings.think
        note = self.thinking.plan(mode).said(self.system is not None) if self.loaded else ""
        if note or mode == "auto":
            return note or "whether to think is left to the model"
        return f"thinking is {mode}" if mode in ("on", "off") else f"the thinking effort is {mode}"

    def tell_thinking(self) -> str:
        """One line on the mode in force and those to choose from."""
        if len(self.thinking.steps) < 2 and self.loaded:
            return CANNOT
        return f"{self.about_thinking()}; this model has: {', '.join(self.thinking.steps)}"

    def next_thinking(self) -> str:
        """The mode after the one in force, of those that make a difference. Raises UsageError without any."""
        steps = self.thinking.steps
        if len(steps) < 2:
            raise UsageError(CANNOT if self.loaded else "the model is still being loaded")
        mode = self.settings.think
        return steps[(steps.index(mode) + 1) % len(steps)] if mode in steps else steps[0]

    def ended(self, message_id: int) -> str | None:
        """Take note that an answer has ended: the branch is fetched again.

        Returns what to say where there is no such conversation any more.
        """
        if self.writing == message_id:
            self.writing = None
        if self.thread.reload():
            return None
        return "This conversation was removed by another trchat. Your next question starts a new one."

    @property
    def context_used(self) -> int:
        """Tokens that the last answer left in the context, as far as it was written here."""
        last = next((each for each in reversed(self.thread.messages) if each.role == "assistant"), None)
        return (last.prompt_tokens or 0) + (last.completion_tokens or 0) if last else 0

    @property
    def context_room(self) -> int:
        """Tokens that may be asked before the oldest messages are left out."""
        from trchat.chat.budget import reply_reserve

        return self.n_ctx - reply_reserve(self.n_ctx, self.settings.max_tokens)

    def dropping(self) -> None:
        """Take note that messages are left out: it need not be announced any more."""
        if self.thread.conversation is not None:
            self._warned.add(self.thread.conversation.id)

    def warning_of_dropping(self, used: int) -> str | None:
        """What to say, once, before the first message is left out; ``used`` tokens are in the context."""
        conversation = self.thread.conversation
        if conversation is None or conversation.id in self._warned or used < FULL * self.context_room:
            return None
        self._warned.add(conversation.id)
        return (
            f"The context is nearly full: {used:,} of {self.n_ctx:,} tokens. From now on the "
            "oldest questions may be left out; /set ctx N makes more room, /new starts over."
        )

    def how_to_resume(self) -> str | None:
        """What to say on leaving, where there is a conversation to come back to."""
        conversation = self.thread.conversation
        if conversation is None or self.thread.store.path is None or self.thread.deleted:
            return None
        return f"resume this conversation with: trchat --continue {conversation.id}"

    def close(self) -> None:
        """Save and free everything."""
        self.host.close()
        self.thread.store.close()

    def _answer(self, question: Message) -> Message:
        settings = self.settings
        seed = secrets.randbelow(2**32 - 1) if settings.seed is None else settings.seed
        noted = {name: getattr(settings, name) for name in NOTED} | {"seed": seed, "system": self.system}
        noted["path"] = str(self.prepared.model.path.absolute())  # by which `ask --continue` finds it
        answer = self.thread.store.begin_answer(question.id, self.prepared.model.name, noted)
        self.thread.reload()
        self._write(answer, question)
        return answer

    def _saved_in(self, answer: Message) -> int | None:
        return answer.conversation_id if self.thread.store.path else None

    def _write(self, answer: Message, question: Message, opening: Turn | None = None) -> None:
        noted = answer.settings
        seed = noted.get("seed")
        as_begun: dict[str, Any] = {name: noted[name] for name in PROMPTING if opening and name in noted}
        self.writing = answer.id
        self.host.write(
            Job(
                answer.id,
                self.thread.turns(question, self.system),
                replace(self.settings, **as_begun),
                seed if isinstance(seed, int) else secrets.randbelow(2**32 - 1),
                opening,
                (answer.completion_tokens or 0) if opening else 0,
                self._saved_in(answer),
            )
        )

    def _may_write(self) -> None:
        self.must_be_free()
        self.thread.must_be_kept()

    def must_be_free(self) -> None:
        """Raise UsageError while an answer is being written."""
        if self.busy:
            raise UsageError("an answer is being written; stop it first (Esc)")


PROMPTING = ("think", "think_budget", "template_arg")
"""Settings that say what an answer's prompt is made with; an answer that goes on keeps its own."""

NOTED = ("temp", "top_k", "top_p", "min_p", "repeat_penalty", "max_tokens", "draft", *PROMPTING)
"""Settings that are saved with every answer."""
