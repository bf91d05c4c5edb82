"""`flconsole doctor`: what works on this machine, and what to do about what does not.

Every check is made, whatever the others find. Those that need TensorFlow, Kafka or the data are made by
`python -m engine.doctor` in processes of their own, which end within a time and leave nothing running.
"""
