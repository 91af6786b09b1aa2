"""Many passes through one network, made cheaper."""
