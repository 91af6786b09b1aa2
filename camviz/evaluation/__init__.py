"""May I believe it? One measure a file; they take maps and scores, never methods."""
