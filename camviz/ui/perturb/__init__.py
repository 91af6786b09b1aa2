"""Perturb: corrupt the image or attack the model, and watch the predictions and the heatmap."""
