"""Networks that are not of the catalog: copies of them, checks as they are loaded, and how their output is read."""
