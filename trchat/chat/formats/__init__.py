"""How model families write an answer: where reasoning begins and ends, and where the answer does.

``find.find_format`` looks at a template and a vocabulary and gives a ``Format``; its parsers follow one
answer each. Nearly all families are one kind (``tags``), whose marks are taken from the template itself;
those that this cannot tell have a file each.
"""
