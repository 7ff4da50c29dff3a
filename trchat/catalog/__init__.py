"""The GGUF files a person already has: where they lie, what is in them, which one a name means.

Everything here only reads (``download`` apart) and works offline, from the files' headers.
"""
