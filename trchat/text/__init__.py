<<<<<<< HEAD
"""Plain functions on text that both the command line and the screen use."""
=======
"""Text on its way in and out: nothing here knows models or terminals."""
>>>>>>> catalog
