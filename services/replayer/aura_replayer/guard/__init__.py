"""What keeps a planner from doing harm: ghost check, rollback, breaker. Budget and hold-out are the arm's library's."""
