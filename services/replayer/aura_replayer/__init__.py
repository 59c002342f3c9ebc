"""Log replay through the arms: sources, clock, arms, context, checkpoints."""
