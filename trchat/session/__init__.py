"""A chat as it is held, whatever shows it: the engine's thread, the conversation, commands and settings."""
