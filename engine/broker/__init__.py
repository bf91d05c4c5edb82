"""The embedded broker: Kafka's wire protocol in memory, on this machine only, with nothing to install."""
