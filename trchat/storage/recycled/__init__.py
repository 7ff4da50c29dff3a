"""What drafting has learned about a model, on disk: one SQLite file a model, at most 2 MB."""
