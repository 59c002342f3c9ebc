"""From what is observed to what `kubectl get ax` says: pure functions."""
