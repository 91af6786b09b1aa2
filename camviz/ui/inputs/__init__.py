"""The visitor's input: images, models, recipes."""
