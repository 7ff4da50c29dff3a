"""Side-by-side measurement of draft modes."""
