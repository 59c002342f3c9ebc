"""The typed contract between Aura's parts: manifest, messages, results, and the rules both languages share."""
