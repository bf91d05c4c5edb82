"""The supervisor is the run: it owns the processes, restarts what crashed, and answers operators on a socket.

`supervisor.run_supervisor` blocks until the run has ended; `client.connect` reaches one that is running.
"""
