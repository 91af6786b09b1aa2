"""The page Room."""
