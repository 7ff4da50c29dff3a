"""What ``trchat ask`` does once its flags are read."""

import argparse
import json
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from time import perf_counter

from trchat.chat.engine_process import EngineStarter
from trchat.chat.finish_reason import CUT, remark_on
from trchat.chat.formats.interface import Said
from trchat.chat.recorder import Recorder, with_question
from trchat.chat.records import Answer, AnyEngine, Delta, Prefill, new_answer, unfulfilled
from trchat.chat.settings import Remember, kept_settings, prompting_of, sampling_of, stops_of, template_source
from trchat.chat.template import Turn
from trchat.cli.conversation import Earlier, earlier
from trchat.cli.crashed import ask_before_crash
from trchat.cli.interrupt import Stop, stop_on_interrupt
from trchat.cli.question import read_grammar_file, read_question, read_schema_file
from trchat.cli.report import report, statistics_line
from trchat.cli.streams import Notices, Output, say
from trchat.errors import CrashError, TrchatError
from trchat.llama.sampling import Sampling
from trchat.startup import Prepared, note_used, warnings
from trchat.storage.conversation_rows import title_from
from trchat.storage.conversations import ConversationStore, open_history
from trchat.text.code_block import first_code_block
from trchat.text.number import whole_number
from trchat.text.visible import visible


def answer_question(args: argparse.Namespace, starter: EngineStarter) -> int:
    """Answer the question with an engine of ``starter``; 0, or 128 + the signal's number after an interrupt.

    Raises TrchatError.
    """
    notices = Notices(args.quiet)
    output = Output()
    prompt = list(args.prompt)
    number = whole_number(args.continued or "")
    if args.continued and number is None:  # `--continue "And why?"` means the latest
        prompt.insert(0, args.continued)
    question = read_question(prompt, args.files, notices.say, stdin=not args.no_stdin)
    with ExitStack() as stack:
        store: ConversationStore | None = None
        before = Earlier()
        if args.continued is not None:
            store = stack.enter_context(closing(open_history(notices.say)))
            before = earlier(store, number)
        prepared = before.prepare(vars(args), notices.say)
        shape = _Shape(args, prepared.model.path)
        template_source(prepared.settings.template)
        if store is None and not args.no_save:  # not before there is something to answer with
            store = stack.enter_context(closing(open_history(notices.say)))
        for warning in warnings(prepared):
            notices.say(warning)
        ask_before_crash(prepared.model.path, notices.say)
        stop = stack.enter_context(stop_on_interrupt(starter.kill))
        return _Answering(args, prepared, notices, output, stop, starter).run(
            question, before, shape, None if args.no_save else store
        )


class _Answering:
    """One run from the model file to the exit code."""

    def __init__(
        self,
        args: argparse.Namespace,
        prepared: Prepared,
        notices: Notices,
        output: Output,
        stop: Stop,
        starter: EngineStarter,
    ) -> None:
        self.args = args
        self.prepared = prepared
        self.notices = notices
        self.output = output
        self.stop = stop
        self.starter = starter

    def run(self, question: str, before: Earlier, shape: "_Shape", store: ConversationStore | None) -> int:
        settings = self.prepared.settings
        system = settings.system
        if before.has_system and settings.origins["system"] != "--system":
            system = None  # the conversation's own stays
        turns = with_question(before.turns, question, system)
        answer = new_answer(settings.seed)
        sampling = sampling_of(
            settings, answer.seed, shape.grammar, shape.schema.grammar if shape.schema else ""
        )
        recorder = store and Recorder(
            store,
            question,
            system=system,
            model=self.prepared.model.name,
            settings=kept_settings(self.prepared.settings, self.prepared.model.path, sampling),
            warn=self.notices.say,
            conversation=before.id,
            title=title_from(" ".join(self.args.prompt)),
        )
        start = perf_counter()
        try:
            with self.starter.open(
                self.prepared.model.path,
                settings,
                self.prepared.ctx,
                self._loading,
                self.notices.say,
                remember=Remember(write=not self.args.no_save),
            ) as engine:
                load_s = perf_counter() - start
                if not self.args.no_save:
                    note_used(self.prepared)
                self._say_limits(engine, has_system=turns[0].role == "system")
                hot_rows = engine.standing.rows_learned
                mode = settings.draft if engine.facts.can_draft else "off"
                self._stream(engine, turns, sampling, answer, recorder or None)
                name = engine.facts.name
        except TrchatError:
            if self.stop.is_set() and not answer.text:  # while the weights are read, a stop is an error
                self.notices.progress("")
                return self.stop.exit_code
            raise
        if self.args.json:
            told = report(
                answer,
                name,
                str(self.prepared.model.path.absolute()),
                mode,
                hot_rows,
                load_s,
                recorder.conversation if recorder else None,
            )
            if self.args.extract:
                told["text"] = self._extracted(told["text"])
            self.output.write(json.dumps(told, ensure_ascii=False) + "\n")
        if self.args.stats and sys.stderr is not None:
            print(statistics_line(answer), file=sys.stderr)
        return self.stop.exit_code if answer.finish == "cancelled" else self._say_ending(answer, shape)

    def _say_ending(self, answer: Answer, shape: "_Shape") -> int:
        """Say what became of an answer that was cut or is empty; whether that is an error."""
        remark = remark_on(answer)
        if remark and shape.is_given and (answer.finish in CUT or not answer.text.strip()):
            say(remark)  # whoever wants a form wants all of it
            return TrchatError.exit_code
        if remark:
            self.notices.say(remark)
        if fault := shape.fault(answer):
            raise TrchatError(fault)
        return 0

    def _stream(
        self,
        engine: AnyEngine,
        turns: list[Turn],
        sampling: Sampling,
        answer: Answer,
        recorder: Recorder | None,
    ) -> None:
        """Run the model, show and save what comes; whatever ends it, what there is is shown and saved."""
        max_tokens = self.prepared.settings.max_tokens
        settings = self.prepared.settings
        events = engine.answer(
            turns,
            sampling,
            max_tokens,
            answer,
            prompting=prompting_of(settings),
            stops=stops_of(settings),
            stop=self.stop.is_set,
        )
        show = self._show_nothing if self.args.json or self.args.extract else _Shown(self).push
        failed: str | None = "error"
        begun = False
        try:
            for event in events:
                if recorder and not begun:
                    recorder.begin()
                begun = True
                if isinstance(event, Delta):
                    self.notices.progress("")
                    show(event.whole)
                    if recorder:
                        recorder.grow(answer)
                elif isinstance(event, Prefill):
                    self.notices.progress(f"reading the prompt {event.done / event.total:4.0%}")
                else:
                    self.notices.say(str(event))
                if self.stop.is_set():
                    break
            failed = None
        except BrokenPipeError:
            failed = None  # the reader had enough: an answer cut short, no error
            raise
        except TrchatError as error:
            self.output.end_line()
            if not (isinstance(error, CrashError) and self.stop.is_set()):
                raise
            failed = None  # it would not stop, and was ended: an interrupt all the same
            self.notices.say(str(error))
        finally:
            events.close()
            self.notices.end_line()
            if recorder and (begun or not failed):
                recorder.end(answer, failed)
                engine.belongs_to(recorder.conversation)
        if self.args.extract and not self.args.json:
            self.output.write(self._extracted(answer.text))
        if not self.args.json and answer.text:
            self.output.end_line()

    def _extracted(self, text: str) -> str:
        block = first_code_block(text)
        if block is None:
            self.notices.say("no code block in the answer; this is all of it")
            return text
        if getattr(self.args, "verbose", False):
            self.notices.say(f"code block: {visible(block.language) or 'no language named'}")
        return block.text

    @staticmethod
    def _show_nothing(said: Said) -> None:
        pass

    def _loading(self, fraction: float) -> bool:
        self.notices.progress(f"loading the model {fraction:4.0%}" if fraction < 1 else "")
        return not self.stop.is_set()

    def _say_limits(self, engine: AnyEngine, has_system: bool) -> None:
        settings, facts = self.prepared.settings, engine.facts
        for note in unfulfilled(engine, prompting_of(settings), has_system=has_system):
            self.notices.say(note)
        if not facts.brings_template and settings.template is None:
            self.notices.say(
                "the model has no chat template; using ChatML, which may not be what it was trained on"
            )
        if not facts.can_draft:
            self.notices.say(
                f"drafts cannot be verified with {facts.architecture} models: decoding without them"
            )


class _Shape:
    """What the answer is to look like: a JSON Schema's files, a grammar's, or neither."""

    def __init__(self, args: argparse.Namespace, model: Path) -> None:
        """Read the files that ``args`` names, for an answer of ``model``; raises UsageError."""
        self.schema = read_schema_file(args.schema) if args.schema else None
        self.grammar = read_grammar_file(args.grammar, model) if args.grammar else ""

    @property
    def is_given(self) -> bool:
        """Whether there is a form that the answer is to have."""
        return self.schema is not None or bool(self.grammar)

    def fault(self, answer: Answer) -> str | None:
        """Why an answer that is complete does not fit the schema, so that no program takes it for one."""
        if self.schema is None:
            return None
        from trchat.grammar.fit import objection

        fault = objection(answer.text, self.schema.text)
        return fault and f"the answer does not fit --schema: {fault}"


class _Shown:
    """Streams an answer: what it says to stdout, its reasoning to stderr."""

    def __init__(self, run: _Answering) -> None:
        self._run = run
        self._inside = False

    def push(self, said: Said) -> None:
        """Show what came."""
        if said.recast:  # what is printed is printed
            self._run.output.end_line()
            self._run.notices.say("what was printed up to here is reasoning; the answer follows")
        self._run.notices.aside(said.reasoning)
        self._inside = self._inside or bool(said.reasoning)
        if said.text and self._inside:
            self._run.notices.aside("\n")
            self._inside = False
        self._run.output.write(said.text)
