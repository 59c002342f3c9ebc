"""The learnt planner's model: features of candidates, fitting, and the file that holds it."""
