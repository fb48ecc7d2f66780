"""What watches the service: configuration of the programs that do, and the source of the dashboards."""
