"""The stage: an interactive heatmap over its image. The browser colors it, zooms it and shows the value of a cell."""
