"""Tools that a model may call: how families write a call, and how their templates take it back.

``find.find_tool_use`` looks at what a template makes of a sample call and gives a ``Syntax``; ``parser``
follows an answer by it, beside the parser of the family's format for reasoning and text.
"""
