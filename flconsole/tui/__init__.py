"""The console on a terminal. Nothing here is imported before a screen is wanted."""
