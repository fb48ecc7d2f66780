"""The series of other programs that dashboards show besides those that rules read.

A name that is missing here and that our code does not declare is a mistake until somebody has looked it up.
"""

from __future__ import annotations

# Prometheus makes them itself, of every alert that is pending or fires.
OF_ALERTS = {"ALERTS", "ALERTS_FOR_STATE"}

NODE_EXPORTER = {
    "node_cpu_seconds_total",
    "node_disk_read_bytes_total",
    "node_disk_written_bytes_total",
    "node_load1",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_network_receive_bytes_total",
    "node_network_transmit_bytes_total",
}

CADVISOR = {
    "container_cpu_usage_seconds_total",
    "container_fs_reads_bytes_total",
    "container_fs_writes_bytes_total",
    "container_last_seen",
    "container_network_receive_bytes_total",
    "container_network_transmit_bytes_total",
}

SHOWN = OF_ALERTS | NODE_EXPORTER | CADVISOR
