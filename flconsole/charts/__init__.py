"""What can be charted of a run, and how it is drawn in a terminal. No screen is needed for either."""
