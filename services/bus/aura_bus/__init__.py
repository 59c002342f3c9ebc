"""Kafka topics, producers and consumers, with retries."""
