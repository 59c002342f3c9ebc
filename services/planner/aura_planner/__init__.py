"""Planning: prompts, reasoners, parsing and repair, expansion, publishing."""
