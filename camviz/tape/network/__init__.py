"""How a network must be run and read: its batches, modes, outputs and errors, and where values or gradients break."""
