"""`kubectl aura`: what an experiment in a cluster tells, and how it is suspended."""
