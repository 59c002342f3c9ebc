"""The cached payload of an item: the catalogue's words and nothing else."""

from pydantic import Field

from aura_contract.base import MessageModel

__all__ = ["Item", "key_of", "payload_of", "plain_payload"]


class Item(MessageModel):
    """Catalogue metadata of one item; absent fields are empty."""

    item: str
    title: str = ""
    category: str = ""
    brand: str = ""
    price: float | None = None
    embedding: tuple[float, ...] | None = Field(None, exclude=True)


def key_of(item: str) -> str:
    """Cache key of an item id: `item:` and the id, with spaces and control characters percent-encoded."""
    if item.isascii() and item.isprintable() and " " not in item and "%" not in item:
        return f"item:{item}"
    return "item:" + "".join(c if ord(c) > 32 and c not in "%\x7f" else f"%{ord(c):02X}" for c in item)


def payload_of(item: Item) -> str:
    """Compact JSON of the catalogue's fields, cut to what an arm takes (65,000 bytes)."""
    return item.model_dump_json(exclude_none=True).encode()[:65_000].decode(errors="ignore")


def plain_payload(item: str, size: int) -> str:
    """Payload of `size` bytes for an item without a catalogue: its id, padded."""
    return item[:size].ljust(size, ".")
