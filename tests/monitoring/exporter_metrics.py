"""The series of other programs that rules and dashboards read.

Tests reject any name that is neither here nor declared by our code, so look up a name before adding it.
"""

from __future__ import annotations

# Added by Prometheus to every scrape.
SCRAPE = {"up", "scrape_duration_seconds"}

PROMETHEUS = {"prometheus_config_last_reload_successful", "prometheus_rule_evaluation_failures_total"}

ALERTMANAGER = {"alertmanager_notifications_failed_total"}

BLACKBOX_EXPORTER = {"probe_success"}

CADDY = {"caddy_http_request_duration_seconds_bucket", "caddy_http_request_duration_seconds_count"}

NODE_EXPORTER = {
    "node_cpu_seconds_total",
    "node_filesystem_avail_bytes",
    "node_filesystem_files",
    "node_filesystem_files_free",
    "node_filesystem_readonly",
    "node_filesystem_size_bytes",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_pressure_cpu_waiting_seconds_total",
    "node_pressure_io_stalled_seconds_total",
    "node_pressure_memory_stalled_seconds_total",
    "node_timex_maxerror_seconds",
    "node_timex_offset_seconds",
    "node_timex_sync_status",
    "node_vmstat_oom_kill",
}

CADVISOR = {
    "container_cpu_cfs_periods_total",
    "container_cpu_cfs_throttled_periods_total",
    "container_memory_working_set_bytes",
    "container_spec_memory_limit_bytes",
    "container_start_time_seconds",
}

READ_BY_RULES = SCRAPE | PROMETHEUS | ALERTMANAGER | BLACKBOX_EXPORTER | CADDY | NODE_EXPORTER | CADVISOR

READ_BY_DASHBOARDS_ONLY = {
    # Added by Prometheus for every pending or firing alert.
    "ALERTS",
    "ALERTS_FOR_STATE",
    # blackbox exporter.
    "probe_duration_seconds",
    # cAdvisor.
    "container_cpu_usage_seconds_total",
    "container_fs_reads_bytes_total",
    "container_fs_writes_bytes_total",
    "container_last_seen",
    "container_network_receive_bytes_total",
    "container_network_transmit_bytes_total",
    # node-exporter.
    "node_disk_read_bytes_total",
    "node_disk_written_bytes_total",
    "node_load1",
    "node_network_receive_bytes_total",
    "node_network_transmit_bytes_total",
}
