"""The series of other programs that our rules may read, each with the program that has it.

A name that is missing here and that our code does not declare is a mistake until somebody has looked it up.
"""

from __future__ import annotations

# Prometheus makes them itself, of every scrape.
SCRAPE = {"up", "scrape_duration_seconds"}

PROMETHEUS = {"prometheus_config_last_reload_successful", "prometheus_rule_evaluation_failures_total"}

ALERTMANAGER = {"alertmanager_notifications_failed_total"}

NODE_EXPORTER = {"node_filesystem_avail_bytes", "node_filesystem_readonly", "node_filesystem_size_bytes"}

CADVISOR = {
    "container_memory_working_set_bytes",
    "container_spec_memory_limit_bytes",
    "container_start_time_seconds",
}

EXPORTERS = SCRAPE | PROMETHEUS | ALERTMANAGER | NODE_EXPORTER | CADVISOR
