"""Grafana's dashboards as code: ``python -m monitoring.dashboards`` writes what Grafana reads.

A dashboard is a module with a function ``build``, named in ``catalogue``; the other modules hold what dashboards
share.
"""
