"""Exact cache simulators: LRU, S3-FIFO, Belady and a clairvoyant prefetcher."""
