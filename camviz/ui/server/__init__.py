"""What all visitors of this process share: results, the queue, long tasks."""
