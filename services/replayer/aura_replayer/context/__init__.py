"""What planners are told about a window."""
