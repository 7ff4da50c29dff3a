"""What survives a session, in SQLite. Knows nothing of models, the command line or the screen."""
