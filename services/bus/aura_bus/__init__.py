"""The services' side of Kafka."""

from aura_bus.bus import Publisher, Received, Subscriber
from aura_bus.connection import BusError
from aura_bus.topics import ensure_topics

__all__ = ["BusError", "Publisher", "Received", "Subscriber", "ensure_topics"]
