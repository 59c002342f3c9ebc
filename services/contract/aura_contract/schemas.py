"""JSON Schemas of the contract; `python -m aura_contract.schemas DIR` writes them."""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from aura_contract.context import ContextSnapshot
from aura_contract.experiment import AuraExperiment
from aura_contract.plan import Plan
from aura_contract.receipt import DeadLetter, Receipt
from aura_contract.results import CategoryTotals, Ending, Progress, SweepResult, Verdict, WindowRecord

__all__ = ["SCHEMAS", "schema_texts"]

SCHEMAS: dict[str, type[BaseModel]] = {
    "experiment": AuraExperiment,
    "context": ContextSnapshot,
    "plan": Plan,
    "receipt": Receipt,
    "dead-letter": DeadLetter,
    "progress": Progress,
    "window": WindowRecord,
    "verdict": Verdict,
    "categories": CategoryTotals,
    "ending": Ending,
    "sweep": SweepResult,
}


def schema_texts() -> dict[str, str]:
    """File name to the text of each schema."""
    return {f"{name}.schema.json": _text(model.model_json_schema(by_alias=True)) for name, model in SCHEMAS.items()}


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file, text in schema_texts().items():
        Path(sys.argv[1], file).write_text(text, encoding="utf-8")
