"""The model for other programs, by OpenAI's protocol: one more front end of the engine."""
