"""The dashboard "Containers": resources of each container (cAdvisor) and of the machine (node-exporter)."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.base import new_dashboard, query_variable
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import names
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import names_query, query, rate

_SERVICE_JOB = 'job="service"'

_SERVICE = "container_label_com_docker_compose_service"
_CONTAINER = f'job="cadvisor", {_SERVICE}=~"$container"'

# Only writable file systems, neither memory nor images, as in the alert HostDiskFilling.
_DISK = 'job="node", fstype!~"tmpfs|ramfs|overlay|squashfs|erofs|iso9660|fuse.lxcfs"'

# Without loopback, and without the bridges that traffic of containers passes besides a physical interface.
_INTERFACE = 'job="node", device!~"lo|veth.*|br-.*|docker.*"'


def build() -> Dashboard:
    """Build the dashboard."""
    dashboard = new_dashboard(
        "Containers",
        "isowatch-containers",
        "The resources that each container and the machine use, and which container restarts repeatedly.",
    ).with_variable(
        # Without the label it is not a Compose container but a cgroup of the system.
        query_variable("container", "Compose service", f"label_values(container_last_seen, {_SERVICE})").all_value(".+")
    )
    grid = Grid(dashboard)
    grid.add_row("Containers")
    grid.add_panels(9, _cpu(), _memory())
    grid.add_panels(9, _memory_share(), _throttled(), _restarts())
    grid.add_panels(
        8,
        _bytes_per_second("Network in", "received", "container_network_receive_bytes_total"),
        _bytes_per_second("Network out", "sent", "container_network_transmit_bytes_total"),
        _bytes_per_second("Disk reads", "read", "container_fs_reads_bytes_total"),
        _bytes_per_second("Disk writes", "written", "container_fs_writes_bytes_total"),
    )
    grid.add_row("Machine")
    grid.add_panels(8, _machine_cpu(), _machine_memory(), _disks())
    grid.add_panels(8, _load(), _machine_network(), _machine_disk())
    grid.add_panels(8, _pressure(), _out_of_memory(), _inodes())
    grid.add_row("Collection of the service's metrics")
    grid.add_panels(7, _scrape_duration(), _metric_files(), _exporter(), widths=(10, 10, 4))
    return dashboard


def _cpu() -> timeseries.Panel:
    return graph(
        "CPU by container",
        "CPU time of a container; 1 is one core.",
        units.Short,
        query(rate("container_cpu_usage_seconds_total", _CONTAINER, by="name"), "{{name}}"),
        decimals=2,
        legend_right=True,
    )


def _memory() -> timeseries.Panel:
    return graph(
        "Memory by container",
        "The working set: memory that the kernel cannot reclaim under pressure.",
        units.BytesIEC,
        query(f"topk(10, sum by (name) (container_memory_working_set_bytes{{{_CONTAINER}}}))", "{{name}}"),
        decimals=0,
        legend_right=True,
    )


def _memory_share() -> timeseries.Panel:
    return graph(
        "Memory relative to limit",
        "The working set as a share of the container's limit; beyond 100 %, the kernel kills its processes. Containers "
        "without a limit are not shown. Alert ContainerMemoryNearLimit: monitoring/runbook.md#containermemorynearlimit",
        units.PercentUnit,
        query(
            f"max by (name) (container_memory_working_set_bytes{{{_CONTAINER}}} "
            f"/ (container_spec_memory_limit_bytes{{{_CONTAINER}}} > 0))",
            "{{name}}",
        ),
        alert_line("threshold:container_memory_limit_ratio:max"),
        decimals=0,
        legend_right=True,
    )


def _throttled() -> timeseries.Panel:
    throttled = f"rate(container_cpu_cfs_throttled_periods_total{{{_CONTAINER}}}[5m])"
    periods = f"rate(container_cpu_cfs_periods_total{{{_CONTAINER}}}[5m])"
    return graph(
        "Throttled containers",
        "Share of scheduling periods in which a container was paused because it had used up its CPU limit. "
        "Alert ContainerThrottled: monitoring/runbook.md#containerthrottled",
        units.PercentUnit,
        query(f"topk(10, max by (name) ({throttled} / ({periods} > 0)) > 0)", "{{name}}"),
        alert_line("threshold:container_throttled_ratio:max"),
        decimals=0,
        soft_max=1,
        legend_right=True,
    )


def _pressure() -> timeseries.Panel:
    return graph(
        "Pressure",
        "Share of time in which programs waited: some of them for a CPU, all of them for memory or disk. Slowness that "
        "no usage figure explains. Its alert has a threshold for each. "
        "Alert HostPressure: monitoring/runbook.md#hostpressure",
        units.PercentUnit,
        query('max(rate(node_pressure_cpu_waiting_seconds_total{job="node"}[5m]))', "CPU"),
        query('max(rate(node_pressure_memory_stalled_seconds_total{job="node"}[5m]))', "memory"),
        query('max(rate(node_pressure_io_stalled_seconds_total{job="node"}[5m]))', "disk"),
        alert_line('threshold:host_pressure_ratio:max{resource="memory"}'),
        decimals=0,
        soft_max=1,
    )


def _out_of_memory() -> timeseries.Panel:
    return graph(
        "Processes killed for lack of memory",
        "Within 15 minutes, in a container at its limit or on the whole machine. "
        "Alert HostOutOfMemoryKills: monitoring/runbook.md#hostoutofmemorykills",
        units.Short,
        query('round(sum(increase(node_vmstat_oom_kill{job="node"}[15m])))', "killed"),
        decimals=0,
        soft_max=2,
    )


def _inodes() -> timeseries.Panel:
    return _free_share(
        "Free inodes",
        "Free share of the inodes of each file system: without any, no file can be created on a disk with free space. "
        "Alert HostInodesLow: monitoring/runbook.md#hostinodeslow",
        "node_filesystem_files_free",
        "node_filesystem_files",
        "threshold:host_inodes_free_ratio:min",
    )


def _free_share(title: str, description: str, free: str, size: str, threshold: str) -> timeseries.Panel:
    return graph(
        title,
        description,
        units.PercentUnit,
        query(f"max by (mountpoint) ({free}{{{_DISK}}} / ({size}{{{_DISK}}} > 0))", "{{mountpoint}}"),
        alert_line(threshold),
        decimals=0,
        soft_max=1,
    )


def _restarts() -> timeseries.Panel:
    # cAdvisor's start time is the container's creation and does not change with a restart. But its label restartcount
    # does, so each run of a container (one id) is a separate series.
    runs = f"count by (name, id) (max_over_time(container_start_time_seconds{{{_CONTAINER}}}[15m]))"
    return graph(
        "Restarts within 15 minutes",
        "How often a container was restarted. Alert ContainerRestarting: monitoring/runbook.md#containerrestarting",
        units.Short,
        query(f"max by (name) ({runs}) - 1", "{{name}}"),
        alert_line("threshold:container_restarts:max"),
        decimals=0,
        legend_right=True,
    )


def _bytes_per_second(title: str, action: str, metric: str) -> timeseries.Panel:
    return graph(
        title,
        f"Bytes {action} per second, by container.",
        units.BytesPerSecondIEC,
        query(rate(metric, _CONTAINER, by="name"), "{{name}}"),
        decimals=0,
    )


def _machine_cpu() -> timeseries.Panel:
    idle = 'sum(rate(node_cpu_seconds_total{job="node", mode=~"idle|iowait"}[$__rate_interval]))'
    io_wait = 'sum(rate(node_cpu_seconds_total{job="node", mode="iowait"}[$__rate_interval]))'
    cores = 'count(node_cpu_seconds_total{job="node", mode="idle"})'
    return graph(
        "Machine CPU",
        "Share of CPU time over all cores: busy, and waiting for a disk.",
        units.PercentUnit,
        query(f"1 - {idle} / {cores}", "busy"),
        query(f"{io_wait} / {cores}", "waiting for disk"),
        decimals=0,
        soft_max=1,
    )


def _machine_memory() -> timeseries.Panel:
    used = 'node_memory_MemTotal_bytes{job="node"} - node_memory_MemAvailable_bytes{job="node"}'
    return graph(
        "Machine memory",
        "Memory in use: total minus available.",
        units.BytesIEC,
        query(f"sum({used})", "used"),
        query('sum(node_memory_MemTotal_bytes{job="node"})', "total"),
        decimals=0,
    )


def _disks() -> timeseries.Panel:
    return _free_share(
        "Free disk space",
        "Free share of each file system. The alert also uses a linear forecast from the last six hours. "
        "Alert HostDiskFilling: monitoring/runbook.md#hostdiskfilling",
        "node_filesystem_avail_bytes",
        "node_filesystem_size_bytes",
        "threshold:disk_free_ratio:min",
    )


def _load() -> timeseries.Panel:
    return graph(
        "Load average",
        "Processes that run or wait, averaged over one minute, and the number of cores.",
        units.Short,
        query('sum(node_load1{job="node"})', "load"),
        query('count(node_cpu_seconds_total{job="node", mode="idle"})', "cores"),
        decimals=1,
    )


def _machine_network() -> timeseries.Panel:
    return graph(
        "Machine network",
        "Bytes received and sent per second, over all physical interfaces.",
        units.BytesPerSecondIEC,
        query(rate("node_network_receive_bytes_total", _INTERFACE), "received"),
        query(rate("node_network_transmit_bytes_total", _INTERFACE), "sent"),
        decimals=0,
    )


def _machine_disk() -> timeseries.Panel:
    return graph(
        "Machine disk I/O",
        "Bytes read and written per second, over all disks.",
        units.BytesPerSecondIEC,
        query(rate("node_disk_read_bytes_total", 'job="node"'), "read"),
        query(rate("node_disk_written_bytes_total", 'job="node"'), "written"),
        decimals=0,
    )


def _scrape_duration() -> timeseries.Panel:
    return graph(
        "Scrape duration",
        "Time in which the service sums up the metrics of its workers, and time until Prometheus has the response. "
        "Alert MetricsScrapeSlow: monitoring/runbook.md#metricsscrapeslow",
        units.Seconds,
        query(f"max(metrics_scrape_duration_seconds{{{_SERVICE_JOB}}})", "in the service", fast_scrape=True),
        query(f"max(scrape_duration_seconds{{{_SERVICE_JOB}}})", "seen by Prometheus", fast_scrape=True),
        alert_line("threshold:metrics_scrape_seconds:max"),
    )


def _metric_files() -> timeseries.Panel:
    return graph(
        "Metric files",
        "Metric files of the workers, unreadable files that were quarantined within 15 minutes, and files that cannot "
        "grow because the metrics folder is full. Files of finished workers are merged, so there are always few. "
        "Alert MetricsFolderFull: monitoring/runbook.md#metricsfolderfull",
        units.Short,
        query(f"sum(metrics_files{{{_SERVICE_JOB}}})", "in use", fast_scrape=True),
        query(
            f"sum(round(increase(metrics_files_quarantined_total{{{_SERVICE_JOB}}}[15m])))",
            "quarantined",
            fast_scrape=True,
        ),
        query(f"sum(metrics_files_out_of_space{{{_SERVICE_JOB}}})", "out of space", fast_scrape=True),
        decimals=0,
    )


def _exporter() -> stat.Panel:
    return names(
        "Exporter",
        "Version of prometheus_flask_exporter, which counts and times the requests of all routes.",
        names_query(f"max by (version) (flask_exporter_info{{{_SERVICE_JOB}}})", "version", "none"),
    )
