"""The four panes: clients, charts, logs, timeline."""
