"""Process, devices, progress, random numbers and batching."""
