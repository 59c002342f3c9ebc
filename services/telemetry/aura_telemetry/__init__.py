"""What every service shows of itself: JSON logs, traces, and /metrics, /healthz and /readyz."""
