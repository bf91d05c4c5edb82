"""The logs of a run in memory: followed, stamped, merged, filtered, searched. No screen is needed for it."""
