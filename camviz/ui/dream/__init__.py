"""The page Dream."""
