"""Similar items by embedding: in Milvus, or in Milvus Lite inside this process."""

from aura_data.neighbours.base import Neighbours, NoNeighbours
from aura_data.neighbours.building import build_neighbours
from aura_data.neighbours.encoder import TextEncoder
from aura_data.neighbours.milvus import MilvusNeighbours

__all__ = ["MilvusNeighbours", "Neighbours", "NoNeighbours", "TextEncoder", "build_neighbours"]
