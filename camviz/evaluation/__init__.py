"""Metrics of heatmaps: faithfulness, sanity checks, localization and sparseness."""

from . import metrics as _metrics  # noqa: F401  # fills METRICS
