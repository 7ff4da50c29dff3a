"""The full-screen chat, in Textual."""
