"""One explanation: the question, the answer, and the recipe that reproduces it."""
