"""The chat line by line: labels instead of colours, no boxes, nothing that moves."""
