"""Kafka topics, producers and consumers, with retries."""

from aura_bus.bus import BusError, Publisher, Received, Subscriber, ensure_topics

__all__ = ["BusError", "Publisher", "Received", "Subscriber", "ensure_topics"]
