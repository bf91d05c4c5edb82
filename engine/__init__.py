"""Federated learning over Kafka: the server, the clients and everything between them.

The engine knows nothing of the console that runs and shows it. `docs/api.md` lists its public names.
"""
