"""What drafting has learned of a model, on disk: one SQLite file a model, at most 2 MB."""
