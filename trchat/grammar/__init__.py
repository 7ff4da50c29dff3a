"""What an answer must follow: JSON Schemas, and the engine that keeps to them."""
