"""Reading the log: columns, codes, clock, windows."""
