"""Asking, stopping, asking again: what the user does with questions and answers."""

import re
from functools import partial
from time import monotonic

from textual import events, on, work

from trchat.errors import TrchatError, UsageError
from trchat.session.attachments import (
    Attachment,
    attachments_of,
    mentioned,
    read_attachment,
    with_attachments,
)
from trchat.session.clipboard import copy_natively
from trchat.session.typed_command import parse_command, unescaped
from trchat.storage.records import Message
from trchat.text.code_block import numbered_code_block, without_files
from trchat.tui.screens.base import ChatBase
from trchat.tui.widgets.answer_body import AnswerBody
from trchat.tui.widgets.message_view import MessageView
from trchat.tui.widgets.prompt import Prompt
from trchat.tui.widgets.suggestions import Suggestions
from trchat.tui.widgets.transcript import Transcript

TWICE_S = 3.0
"""Within this a second Ctrl+C belongs to the first."""
_MENTIONED = re.compile(r"(?<!\S)@(?:\S*/)?([^\s/]+?)(?=[,;:!?.)]*(?:\s|$))")


class AnswerActions(ChatBase):
    """Actions on messages."""

    _attached: tuple[Attachment, ...] = ()
    _editing: int | None = None
    """The question that is asked in other words."""
    _set_aside: tuple[str, tuple[Attachment, ...]] = ("", ())
    """What stood in the prompt before that, and the files that were to go along."""
    _queue: tuple[str, ...] = ()
    """What is sent, with its files, when the answer that is being written has ended."""
    _leaving_since = 0.0
    """When Ctrl+C found nothing more to stop, copy or clear."""

    @on(Prompt.Sent)
    async def _sent(self, event: Prompt.Sent) -> None:
        """Run a command, or ask."""
        text = event.text
        try:
            parsed = None if self._editing else parse_command(text, self.session.template)
            picked = self.transcript.welcome.picked(text.strip()) if self._editing is None else None
            if picked is not None:
                await self.open_conversation(picked)
            elif parsed is not None:
                await self.run_command(parsed[0].name, parsed[1])
            elif self._editing is not None:
                async with self.drawing:
                    self.session.edit(self._editing, self._with_files(text))
                    self._end_editing()
                    self._asked()
                    await self.show_thread()
            elif text.strip():
                whole = self._with_files(unescaped(text))
                self._attached = ()
                if self.session.busy:
                    self._queue = (*self._queue, whole)
                    self._show_standing_hint()
                else:
                    async with self.drawing:
                        await self._ask(whole)
        except TrchatError as error:
            self.tell(str(error), "warning")
            self.prompt.give_back(text)

    def _with_files(self, question: str) -> str:
        """The question below the files that go along and those that it names as ``@path``."""
        named = mentioned(question, lambda line: self.tell(line, "warning"))
        return with_attachments(question, (*self._attached, *named))

    async def _ask(self, whole: str) -> None:
        """Ask; to be called while ``drawing`` is held."""
        self.session.ask(whole)
        self._asked()
        await self._show_asked()

    async def send_next(self, finish: str) -> None:
        """Now that an answer has ended, send what was queued; after a stop or an error the user has it back.

        To be called while ``drawing`` is held.
        """
        if not self._queue:
            return
        if finish in ("cancelled", "error"):
            while self._take_back():
                pass
            return
        whole, *rest = self._queue
        self._queue = tuple(rest)
        try:
            await self._ask(whole)
        except TrchatError as error:
            self.tell(str(error), "warning")
            self._queue = (whole, *rest)
            while self._take_back():
                pass

    def _take_back(self) -> bool:
        """Put the last queued message back into the prompt; False where there is none."""
        if not self._queue:
            return False
        files, question = attachments_of(self._queue[-1])
        named = {file.name for file in self._attached}
        self._queue = self._queue[:-1]
        self._attached = (*self._attached, *(file for file in files if file.name not in named))
        self.prompt.give_back(question)
        self._show_standing_hint()
        return True

    def move_beside(self, by: int) -> bool:
        """Up and Down in an empty prompt: take back what is queued, or choose a recent conversation."""
        if by < 0 and self._take_back():
            return True
        return self.transcript.welcome.move(by)

    def close_find(self) -> bool:
        """Close the field in which words are looked for; False where it was not open."""
        raise NotImplementedError

    async def open_conversation(self, conversation_id: int) -> bool:
        """Go on with an earlier conversation; False where that is not possible now."""
        raise NotImplementedError

    async def show_thread(self) -> None:
        """Draw the conversation as it is now; a question that is not in it is no longer edited."""
        shown = {each.id for each in self.session.thread.messages}
        if self._editing is not None and self._editing not in shown:
            self._end_editing()
        await super().show_thread()

    def _show_standing_hint(self) -> None:
        """Say above the prompt what goes on there, as long as it does."""
        lines = []
        if self._editing is not None:
            lines.append("Editing: Enter asks again on a new branch, Esc cancels")
        if self._attached:
            names = ", ".join(each.about for each in self._attached)
            lines.append(f"Attached: {names} · /detach removes")
        if self._queue:
            first = " ".join(without_files(self._queue[-1]).split())
            count = f"{len(self._queue)} queued, last: " if len(self._queue) > 1 else "Queued: "
            lines.append(f"{count}{first} · ↑ takes it back")
        self.show_hint("\n".join(lines))

    def _end_editing(self) -> None:
        """Give the prompt back to what stood there."""
        self._editing = None
        text, self._attached = self._set_aside
        self.prompt.give_back(text)
        self._set_aside = ("", ())
        self._show_standing_hint()

    def _asked(self) -> None:
        self.show_keys()
        self._show_standing_hint()
        self.panel.begin()
        self.status.set_state("reading the question" if self.session.loaded else "waiting for the model")
        self.status.forget_speed()

    async def _show_asked(self) -> None:
        thread = self.session.thread
        shown = [view.message for view in self.transcript.query(MessageView)]
        if thread.conversation and any(each.conversation_id != thread.conversation.id for each in shown):
            await self.show_thread()  # the one that is on the screen was deleted elsewhere
        else:
            ids = {message.id for message in shown}
            self.transcript.writing = self.session.writing
            await self.transcript.add(*(each for each in thread.messages[-3:] if each.id not in ids))
            self.recall()
            self.show_heading()
        self._lens_on_last()

    def action_stop(self) -> None:
        """Close the suggestions; else stop the answer, leave the editing, or clear the draft."""
        if self.close_find() or (self.prompt.has_focus and self.prompt.close_suggestions()):
            return
        if self.session.busy:
            self.session.stop()
        elif self._editing is not None:
            self.prompt.put("")
            self._end_editing()
        elif self.prompt.has_focus:
            self.prompt.clear_draft()
        self.prompt.focus()

    async def action_interrupt(self) -> None:
        """Ctrl+C: copy what is selected, stop what is written, or clear the draft; twice, leave."""
        selected = self.get_selected_text() or self.prompt.selected_text
        if selected:
            self._copy(selected, "the selection")
        elif self.session.busy:
            self.session.stop()
        elif self._editing is not None:
            self.action_stop()
        elif monotonic() - self._leaving_since < TWICE_S:
            await self.app.run_action("quit")
        else:
            self._leaving_since = monotonic()
            self.prompt.clear_draft()
            self.tell("Press Ctrl+C again to quit")

    async def regenerate(self) -> None:
        """Answer the focused (or last) question again."""
        message = self.focused_message()
        async with self.drawing:
            if self.attempt(lambda: self.session.regenerate(message.id if message else None)):
                self._asked()
                await self.show_thread()

    async def retry(self) -> None:
        """Start the engine again after a crash, and answer the question that it broke off."""
        async with self.drawing:
            if self.attempt(self.session.retry):
                self.status.set_state("restarting the engine")
                if self.session.busy:
                    self._asked()
                    await self.show_thread()

    def edit(self, text: str = "") -> None:
        """Put a question back into the prompt, to ask it in other words: ``text``, where there is any."""

        def begin() -> None:
            message = self.focused_message() or self.session.thread.last_question()
            if message.role == "assistant":
                message = self.session.thread.question_of(message)
            if message.role != "user":
                raise UsageError("use /system to change the system prompt")
            if self._editing is None:
                self._set_aside = (self.prompt.text, self._attached)
            files, question = attachments_of(message.text)
            named = _MENTIONED.findall(question)  # these are read again when it is sent
            self._attached = tuple(file for file in files if file.name not in named)
            self._editing = message.id
            self.prompt.put(text or question)
            self.prompt.focus()
            self._show_standing_hint()

        self.attempt(begin)

    def proceed(self) -> None:
        """Go on with an answer that was cut."""
        message = self.focused_message()
        if self.attempt(lambda: self.session.proceed(message.id if message else None)):
            view = self.transcript.answer_view(self.session.writing or 0)
            if view:
                view.go_on()
            self.transcript.keep_room(0)
            self._asked()

    def compare(self) -> None:
        """Answer again without drafts, and show both speeds."""
        message = self.focused_message()
        if self.attempt(lambda: self.session.compare(message.id if message else None)):
            self.show_keys()
            self.status.set_state("comparing without drafts")

    async def branch(self, by: int) -> None:
        """Show another branch of the focused message, or of the last one that has any."""
        thread = self.session.thread
        message = self.focused_message() or thread.last_branched()
        if not self.attempt(self.session.must_be_free):
            return
        if message is None or thread.siblings(message)[1] < 2:
            self.tell("Only one branch; regenerating or editing adds another")
            return
        try:
            if thread.switch(message, by):
                await self.show_thread()
            else:
                self.tell("No more branches on that side")
        except TrchatError as error:
            self.tell(str(error), "warning")

    def action_message(self, by: int) -> None:
        """Move the focus over the messages; below the last one is the prompt."""
        views = list(self.transcript.query(MessageView))
        place = views.index(self.focused) if isinstance(self.focused, MessageView) else len(views)
        if place + by >= len(views):
            self.prompt.focus()
        elif views:
            views[max(place + by, 0)].focus()

    def copy(self, block: str | None = None, wanted: Message | None = None) -> None:
        """Copy the focused (or last) answer, or its code block with this number; empty means the last one."""

        def copy() -> None:
            message = wanted or self.focused_message() or self.session.thread.get(None)
            if block is None:
                self._copy(message.text, "the message")
            else:
                code = numbered_code_block(message.text, block)
                self._copy(code, f"code block {block}" if block else "the last code block")

        self.attempt(copy)

    @work(thread=True, group="copy")
    def _copy(self, text: str, what: str) -> None:
        program = copy_natively(text)
        if program is None:
            self.app.call_from_thread(self.app.copy_to_clipboard, text)
        self.app.call_from_thread(self.tell, f"Copied {what}")

    def attach(self, name: str) -> None:
        """Send a file along with the next question."""

        def read() -> None:
            said = read_attachment(name, lambda line: self.tell(line, "warning"))
            self._attached = (*self._attached, said)
            self._show_standing_hint()

        self.attempt(read)

    def detach(self) -> None:
        """Take the attached files off again."""
        self._attached = ()
        self._show_standing_hint()

    @on(MessageView.Wanted)
    async def _wanted(self, event: MessageView.Wanted) -> None:
        match event.what:
            case "copy":
                self.copy()
            case "copy-code":
                self.copy("")
            case copy if copy.startswith("copy-code "):
                self.copy(copy.removeprefix("copy-code "))
            case "regenerate":
                await self.regenerate()
            case "edit":
                self.edit()
            case "previous-branch":
                await self.branch(-1)
            case "next-branch":
                await self.branch(1)

    @on(AnswerBody.CodeWanted)
    def _code_wanted(self, event: AnswerBody.CodeWanted) -> None:
        view = event.body.parent
        if isinstance(view, MessageView):
            view.focus()
            self.copy(str(event.number), view.message)

    @on(Suggestions.Picked)
    def _picked(self) -> None:
        self.prompt.focus()
        self.prompt.action_complete()

    @on(Prompt.Paged)
    def _paged(self, event: Prompt.Paged) -> None:
        if event.to_end:
            self.action_to_end()
        elif event.direction < 0:
            self.transcript.scroll_page_up(animate=False)
        else:
            self.transcript.scroll_page_down(animate=False)

    @on(Transcript.Away)
    def _away(self, event: Transcript.Away) -> None:
        # At the right, where it hides the least; the scrollbar stays free.
        self.more.styles.offset = (max(self.transcript.size.width - len(" ↓ more ") - 2, 0), -1)
        self.more.display = event.away

    @on(events.Click, "#more")
    def _more_clicked(self) -> None:
        self.action_to_end()

    def stop(self) -> None:
        """Stop the answer."""
        self.session.stop()

    def action_to_end(self) -> None:
        """Show the end of the chat, and follow it again."""
        self.transcript.to_end()

    def _toggle_lens(self) -> None:
        """Open or close the draft lens."""
        self.lens_on = not self.lens_on
        if self.lens_on:
            self.session.host.lens.set()
        else:
            self.session.host.lens.clear()
        self.panel.display = self.lens_on
        self._lens_on_last()

    def lens(self, colour: bool) -> None:
        """Open or close the draft lens, or the colours by which it tells who guessed a token."""
        if not colour:
            self._toggle_lens()
            return
        self.lens_colours = not self.lens_colours
        if self.lens_on:
            self._lens_on_last()
        else:
            self._toggle_lens()

    def _lens_on_last(self) -> None:
        variables = self.app.theme_variables
        colour = partial(self.colours.hex, variables=variables) if self.lens_colours else None
        answers = self.transcript.answers()
        for view in answers:
            view.set_lens(self.lens_on and view is answers[-1], colour)
        self.panel.set_colours(self.colours if self.lens_colours else None)
