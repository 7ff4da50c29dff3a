"""Plain functions on text that both the command line and the screen use."""
