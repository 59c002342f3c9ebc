"""`aura simulate`: the same replay, planners and files as `aura run`, with simulated arms and no servers."""
