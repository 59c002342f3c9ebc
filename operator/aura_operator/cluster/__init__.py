"""The API server: one client for writing, one watching store for reading."""
