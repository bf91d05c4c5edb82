"""What opens above the console and asks or tells something."""
