"""How a machine and a cluster are: doctor, and the exporter for Prometheus."""
