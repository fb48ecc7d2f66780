"""Configuration of the monitoring programs, and the source of the Grafana dashboards."""
