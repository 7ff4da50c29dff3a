"""What models had cached of conversations, on disk and in memory, so that no text is read twice."""
