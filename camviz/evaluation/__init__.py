"""How faithful is a heatmap? Metrics that take heatmaps and scores, never methods."""

from . import metrics as _metrics  # noqa: F401  # fills METRICS
