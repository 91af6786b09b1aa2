"""Shared by all visitors of this process: results, the queue, long tasks."""
