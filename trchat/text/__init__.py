"""Text on its way in and out: nothing here knows models or terminals."""
