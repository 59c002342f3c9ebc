"""Standing prefetch rules: what users and sessions go on with, learnt from the log as it is replayed."""
