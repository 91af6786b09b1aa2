"""The stage: an image and its heatmap that the browser colors, swipes, zooms and reads out."""
