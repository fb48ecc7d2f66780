"""The dashboard "Containers": what each container takes, told by cAdvisor, and the machine, told by node-exporter."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.frame import choice, new_dashboard
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import query, rate

_SERVICE = "container_label_com_docker_compose_service"
_CONTAINER = f'job="cadvisor", {_SERVICE}=~"$container"'

# File systems that take what is written to them: no memory, no images. The same as in the alert HostDiskFilling.
_DISK = 'job="node", fstype!~"tmpfs|ramfs|overlay|squashfs|erofs|iso9660|fuse.lxcfs"'

# What goes from a machine to itself is no traffic, and what containers send passes bridges as well as a card.
_CARD = 'job="node", device!~"lo|veth.*|br-.*|docker.*"'


def build() -> Dashboard:
    """Make the dashboard."""
    dashboard = new_dashboard(
        "Containers",
        "isowatch-containers",
        "What each container and the machine under them take, and which container is started again and again.",
    ).with_variable(
        # Without the label it is no container of Compose but a group of the system's own.
        choice("container", "Service", f"label_values(container_last_seen, {_SERVICE})").all_value(".+")
    )
    grid = Grid(dashboard)
    grid.heading("Containers")
    grid.line(9, _cpu(), _memory())
    grid.line(9, _memory_share(), _restarts())
    grid.line(
        8,
        _traffic("Network in", "received", "container_network_receive_bytes_total"),
        _traffic("Network out", "sent", "container_network_transmit_bytes_total"),
        _traffic("Disk in", "read", "container_fs_reads_bytes_total"),
        _traffic("Disk out", "written", "container_fs_writes_bytes_total"),
    )
    grid.heading("Machine")
    grid.line(8, _machine_cpu(), _machine_memory(), _disks())
    grid.line(8, _load(), _machine_network(), _machine_disk())
    return dashboard


def _cpu() -> timeseries.Panel:
    """How busy each is."""
    return graph(
        "CPU by container",
        "Cores that a container keeps busy: 1 is one core.",
        units.Short,
        query(rate("container_cpu_usage_seconds_total", _CONTAINER, by="name"), "{{name}}"),
        decimals=2,
        wide=True,
    )


def _memory() -> timeseries.Panel:
    """What each holds."""
    return graph(
        "Memory by container",
        "The working set: memory that the kernel cannot take back when it is short of it.",
        units.BytesIEC,
        query(f"sum by (name) (container_memory_working_set_bytes{{{_CONTAINER}}})", "{{name}}"),
        decimals=0,
        wide=True,
    )


def _memory_share() -> timeseries.Panel:
    """What ContainerMemoryNearLimit looks at."""
    return graph(
        "Memory against the limit",
        "The working set as a share of what the container may use; at 100 % the kernel ends its processes. Containers "
        "without a limit are left out. Alert ContainerMemoryNearLimit: monitoring/runbook.md#containermemorynearlimit",
        units.PercentUnit,
        query(
            f"max by (name) (container_memory_working_set_bytes{{{_CONTAINER}}} "
            f"/ (container_spec_memory_limit_bytes{{{_CONTAINER}}} > 0))",
            "{{name}}",
        ),
        alert_line("threshold:container_memory_limit_ratio:max"),
        decimals=0,
        wide=True,
    )


def _restarts() -> timeseries.Panel:
    """What ContainerRestarting looks at."""
    # cAdvisor's start time is that of the container's creation. But the number of restarts is a label, so each run of a
    # container (one id) is a series of its own.
    runs = f"count by (name, id) (max_over_time(container_start_time_seconds{{{_CONTAINER}}}[15m]))"
    return graph(
        "Restarts within 15 minutes",
        "How often a container was started again. Alert ContainerRestarting: monitoring/runbook.md#containerrestarting",
        units.Short,
        query(f"max by (name) ({runs}) - 1", "{{name}}"),
        alert_line("threshold:container_restarts:max"),
        decimals=0,
        wide=True,
    )


def _traffic(title: str, done: str, metric: str) -> timeseries.Panel:
    """What each moves."""
    return graph(
        title,
        f"Bytes that a container has {done}, a second.",
        units.BytesPerSecondIEC,
        query(rate(metric, _CONTAINER, by="name"), "{{name}}"),
        decimals=0,
    )


def _machine_cpu() -> timeseries.Panel:
    """How busy the machine is."""
    idle = 'sum(rate(node_cpu_seconds_total{job="node", mode=~"idle|iowait"}[$__rate_interval]))'
    waiting = 'sum(rate(node_cpu_seconds_total{job="node", mode="iowait"}[$__rate_interval]))'
    cores = 'count(node_cpu_seconds_total{job="node", mode="idle"})'
    return graph(
        "CPU of the machine",
        "Share of all cores that is busy, and the share that waits for a disk.",
        units.PercentUnit,
        query(f"1 - {idle} / {cores}", "busy"),
        query(f"{waiting} / {cores}", "waiting for a disk"),
        decimals=0,
        at_least=1,
    )


def _machine_memory() -> timeseries.Panel:
    """How full the memory is."""
    used = 'node_memory_MemTotal_bytes{job="node"} - node_memory_MemAvailable_bytes{job="node"}'
    return graph(
        "Memory of the machine",
        "Memory that is in use and could not be had without ending or swapping something.",
        units.BytesIEC,
        query(f"sum({used})", "in use"),
        query('sum(node_memory_MemTotal_bytes{job="node"})', "there is"),
        decimals=0,
    )


def _disks() -> timeseries.Panel:
    """What HostDiskFilling looks at."""
    free, size = f"node_filesystem_avail_bytes{{{_DISK}}}", f"node_filesystem_size_bytes{{{_DISK}}}"
    return graph(
        "Free space",
        "Free share of each file system. An alert also looks at where a straight line through six hours leads. "
        "Alert HostDiskFilling: monitoring/runbook.md#hostdiskfilling",
        units.PercentUnit,
        query(f"max by (mountpoint) ({free} / ({size} > 0))", "{{mountpoint}}"),
        alert_line("threshold:disk_free_ratio:min"),
        decimals=0,
        at_least=1,
    )


def _load() -> timeseries.Panel:
    """How many wait for a core."""
    return graph(
        "Load",
        "Processes that run or wait, averaged over one minute, beside the number of cores.",
        units.Short,
        query('sum(node_load1{job="node"})', "load"),
        query('count(node_cpu_seconds_total{job="node", mode="idle"})', "cores"),
        decimals=1,
    )


def _machine_network() -> timeseries.Panel:
    """What comes and goes."""
    return graph(
        "Network of the machine",
        "Bytes that the machine receives and sends, a second, over all network cards.",
        units.BytesPerSecondIEC,
        query(rate("node_network_receive_bytes_total", _CARD), "received"),
        query(rate("node_network_transmit_bytes_total", _CARD), "sent"),
        decimals=0,
    )


def _machine_disk() -> timeseries.Panel:
    """What the disks do."""
    return graph(
        "Disks of the machine",
        "Bytes that are read and written, a second, over all disks.",
        units.BytesPerSecondIEC,
        query(rate("node_disk_read_bytes_total", 'job="node"'), "read"),
        query(rate("node_disk_written_bytes_total", 'job="node"'), "written"),
        decimals=0,
    )
