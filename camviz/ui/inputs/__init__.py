"""What a visitor brings: images, models, recipes."""
