"""Asking, stopping, asking again: what the user does with questions and answers."""

from functools import partial

from textual import on, work

from trchat.errors import TrchatError, UsageError
from trchat.session.attachments import Attachment, read_attachment, with_attachments
from trchat.session.clipboard import copy_natively
from trchat.session.commands import unescaped
from trchat.text.code_block import numbered_code_block
from trchat.tui.screens.base import ChatBase
from trchat.tui.widgets.message_view import MessageView
from trchat.tui.widgets.prompt import Prompt


class AnswerActions(ChatBase):
    """Actions on messages."""

    _attached: tuple[Attachment, ...] = ()
    _editing: int | None = None
    """The question that is asked in other words."""
    _set_aside = ""
    """What stood in the prompt before that."""

    @on(Prompt.Sent)
    async def _sent(self, event: Prompt.Sent) -> None:
        """Run a command, or ask."""
        text = event.text
        try:
            parsed = None if self._editing else self.session.parse(text)
            if parsed is not None:
                await self.run_command(parsed[0].name, parsed[1])
            elif self._editing is not None:
                async with self.drawing:
                    self.session.edit(self._editing, text)
                    self._end_editing()
                    self._asked()
                    await self.show_thread()
            else:
                if not text.strip():
                    return
                async with self.drawing:
                    self.session.ask(with_attachments(unescaped(text), list(self._attached)))
                    self._attached = ()
                    self._asked()
                    await self._show_asked()
        except TrchatError as error:
            self.tell(str(error), "warning")
            self.prompt.give_back(text)

    async def run_command(self, name: str, argument: str) -> None:
        """Run a slash command by name."""
        raise NotImplementedError

    async def show_thread(self) -> None:
        """Draw the conversation as it is now; a question that is not in it is no longer edited."""
        shown = {each.id for each in self.session.thread.messages}
        if self._editing is not None and self._editing not in shown:
            self._end_editing()
        await super().show_thread()

    def _show_standing_hint(self) -> None:
        """Say above the prompt what goes on there, as long as it does."""
        if self._editing is not None:
            self.show_hint("editing: enter asks on a new branch, esc leaves it as it was")
        elif self._attached:
            names = ", ".join(each.name for each in self._attached)
            self.show_hint(f"attached: {names} · /detach removes")
        else:
            self.show_hint("")

    def _end_editing(self) -> None:
        """Give the prompt back to what stood there."""
        self._editing = None
        self.prompt.give_back(self._set_aside)
        self._set_aside = ""
        self._show_standing_hint()

    def _asked(self) -> None:
        self.show_keys()
        self._show_standing_hint()
        self.panel.begin()
        self.status.set_state("thinking" if self.session.loaded else "waiting for the model")

    async def _show_asked(self) -> None:
        thread = self.session.thread
        shown = [view.message for view in self.transcript.query(MessageView)]
        if thread.conversation and any(each.conversation_id != thread.conversation.id for each in shown):
            await self.show_thread()  # the one that is on the screen was deleted elsewhere
        else:
            ids = {message.id for message in shown}
            self.transcript.writing = self.session.writing
            await self.transcript.add(*(each for each in thread.messages[-3:] if each.id not in ids))
            self.prompt.recall_from([each.text for each in thread.messages if each.role == "user"])
            self.show_heading()
        self._lens_on_last()

    def action_stop(self) -> None:
        """Stop the answer; else leave the editing; else come back to the prompt."""
        if self.session.busy:
            self.session.stop()
        elif self._editing is not None:
            self.prompt.put("")
            self._end_editing()
        self.prompt.focus()

    def action_interrupt(self) -> None:
        """Ctrl+c: stop while something is written, else copy what is selected."""
        if self.session.busy:
            self.session.stop()
            return
        selected = self.get_selected_text() or self.prompt.selected_text
        if selected:
            self._copy(selected, "the selection")
        else:
            leaving = [key for key, each in self.active_bindings.items() if each.binding.id == "quit"]
            self.tell(f"{' or '.join(leaving) or '/quit'} leaves")

    async def action_regenerate(self) -> None:
        """Answer the focused (or last) question again."""
        message = self.focused_message()
        async with self.drawing:
            if self.attempt(lambda: self.session.regenerate(message.id if message else None)):
                self._asked()
                await self.show_thread()

    async def action_retry(self) -> None:
        """Start the engine anew after a crash, and answer the question again that it broke off."""
        async with self.drawing:
            if self.attempt(self.session.retry):
                self.status.set_state("starting the engine anew")
                if self.session.busy:
                    self._asked()
                    await self.show_thread()

    def action_edit(self) -> None:
        """Put a question back into the prompt, to ask it in other words."""

        def begin() -> None:
            message = self.focused_message() or self.session.thread.last_question()
            if message.role == "assistant":
                message = self.session.thread.question_of(message)
            if message.role != "user":
                raise UsageError("/system changes the system prompt")
            if self._editing is None:
                self._set_aside = self.prompt.text
            self._editing = message.id
            self.prompt.put(message.text)
            self.prompt.focus()
            self._show_standing_hint()

        self.attempt(begin)

    def action_proceed(self) -> None:
        """Go on with an answer that was cut."""
        message = self.focused_message()
        if self.attempt(lambda: self.session.proceed(message.id if message else None)):
            view = self.transcript.answer_view(self.session.writing or 0)
            if view:
                view.go_on()
            self.transcript.keep_room(0)
            self._asked()

    def action_compare(self) -> None:
        """Answer again without drafts, and show both speeds."""
        message = self.focused_message()
        if self.attempt(lambda: self.session.compare(message.id if message else None)):
            self.show_keys()
            self.status.set_state("A/B: plain decoding")

    async def action_branch(self, by: int) -> None:
        """Show another branch of the focused message, or of the last one that has any."""
        thread = self.session.thread
        message = self.focused_message() or thread.last_branched()
        if not self.attempt(self.session.must_be_free):
            return
        if message is None or thread.siblings(message)[1] < 2:
            self.tell("there is one branch only; regenerating or editing makes another")
            return
        try:
            if thread.switch(message, by):
                await self.show_thread()
            else:
                self.tell("this is the last branch on that side")
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

    def action_copy(self, code: str | None = None) -> None:
        """Copy the focused (or last) answer, or its code block with this number; empty means the last one."""

        def copy() -> None:
            message = self.focused_message() or self.session.thread.get(None)
            if code is None:
                self._copy(message.text, "the message")
            else:
                block = numbered_code_block(message.text, code)
                self._copy(block, f"code block {code}" if code else "the last code block")

        self.attempt(copy)

    @work(thread=True, group="copy")
    def _copy(self, text: str, what: str) -> None:
        program = copy_natively(text)
        if program is None:
            self.app.call_from_thread(self.app.copy_to_clipboard, text)
            program = "the terminal (OSC 52)"
        self.app.call_from_thread(self.tell, f"copied {what} with {program}")

    def attach(self, name: str) -> None:
        """Send a file along with the next question."""

        def read() -> None:
            self._attached = (*self._attached, read_attachment(name))
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
                self.action_copy()
            case "copy-code":
                self.action_copy("")
            case "regenerate":
                await self.action_regenerate()
            case "edit":
                self.action_edit()
            case "previous-branch":
                await self.action_branch(-1)
            case "next-branch":
                await self.action_branch(1)

    @on(Prompt.Hinted)
    def _hinted(self, event: Prompt.Hinted) -> None:
        if event.candidates:
            # Of what follows a command only itself: "auto", not "/draft auto".
            self.show_hint("tab: " + "  ".join(each.partition(" ")[2] or each for each in event.candidates))
        elif self.hint.display and str(self.hint.visual).startswith("tab: "):
            self._show_standing_hint()

    @on(Prompt.Paged)
    def _paged(self, event: Prompt.Paged) -> None:
        if event.direction < 0:
            self.transcript.scroll_page_up(animate=False)
        else:
            self.transcript.scroll_page_down(animate=False)

    def action_lens(self) -> None:
        """Open or close the draft lens."""
        self.lens_on = not self.lens_on
        if self.lens_on:
            self.session.host.lens.set()
        else:
            self.session.host.lens.clear()
        self.panel.display = self.lens_on
        self._lens_on_last()

    def colour_lens(self) -> None:
        """Colour guessed tokens by who guessed them, or no longer."""
        self.lens_colours = not self.lens_colours
        if self.lens_on:
            self._lens_on_last()
        else:
            self.action_lens()

    def _lens_on_last(self) -> None:
        variables = self.app.theme_variables
        colour = partial(self.colours.hex, variables=variables) if self.lens_colours else None
        answers = self.transcript.answers()
        for view in answers:
            view.set_lens(self.lens_on and view is answers[-1], colour)
        self.panel.set_colours(self.colours if self.lens_colours else None)
