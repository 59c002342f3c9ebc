"""Evidence: verdict, intervals and the report."""
