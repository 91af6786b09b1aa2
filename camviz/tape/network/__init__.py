"""Facts that decide how a network is run: batches, modes, outputs, errors, non-finite values, cut gradients."""
