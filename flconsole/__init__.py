"""The operator's console: starts runs, watches them, and lets an operator step in. Never loads a training library."""
