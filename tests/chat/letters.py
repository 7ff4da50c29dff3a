"""A vocabulary of letters, and one process for the templates of all tests."""

import json
import re

from trchat.chat.template_process import TemplateProcess

SPECIAL = 0x110000
"""Ids of special tokens begin where characters end."""


class Letters:
    """A vocabulary with a token a character, and these special ones."""

    adds_bos = False
    bos_text = ""

    def __init__(self, marks, control, ends=()):
        self.special_ids = {mark: SPECIAL + number for number, mark in enumerate(marks)}
        self.spellings = {number: mark for mark, number in self.special_ids.items()}
        self.control_texts = frozenset(marks) if control else frozenset()
        self.user_defined_texts = frozenset(marks) - self.control_texts
        self.end_tokens = {self.special_ids[end] for end in ends if end in self.special_ids}

    def tokenize(self, text, *, add_special=False, parse_special=False):
        if not (parse_special and self.special_ids):
            return [ord(letter) for letter in text]
        longest_first = sorted(self.special_ids, key=len, reverse=True)
        parts = re.split(f"({'|'.join(map(re.escape, longest_first))})", text)
        return [
            token
            for part in parts
            for token in ([self.special_ids[part]] if part in self.special_ids else map(ord, part))
        ]

    def piece(self, token):
        if token < SPECIAL:
            return chr(token).encode()
        spelling = self.spellings[token]
        return b"" if spelling in self.control_texts else spelling.encode()

    def spelled(self, ids):
        return "".join(self.spellings.get(token) or chr(token) for token in ids)


class Templates:
    """One process for the templates of all tests, which knows what it was asked before.

    Starting one takes a tenth of a second, and compiling a template as long as rendering it ten times.
    """

    def __init__(self):
        self._process = TemplateProcess(30.0)
        self._compiled = None
        self._answers = {}

    def process(self):
        """What stands for a process of its own, of one template."""
        return _OneTemplate(self)

    def answer(self, source, content):
        key = json.dumps([source, content])
        if key not in self._answers:
            if content is not source != self._compiled:
                self._process.request(source)
            self._compiled = source
            self._answers[key] = self._process.request(content)
        return self._answers[key]

    def close(self):
        self._process.close()


class _OneTemplate:
    def __init__(self, templates):
        self._templates = templates
        self._source = None

    def request(self, content):
        self._source = content if "source" in content else self._source
        return self._templates.answer(self._source, content)

    def close(self):
        """The others go on."""
