"""The operator's console: starts runs, watches them, and lets an operator step in. No training library."""
