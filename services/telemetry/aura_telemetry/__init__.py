"""What every service shows of itself: JSON logs, and /metrics, /healthz and /readyz."""
