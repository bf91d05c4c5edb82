"""Moving records between processes: the interface, its in-memory twin and Kafka."""
