"""Text in, text out: templates, conversations, and the engine that answers them."""
