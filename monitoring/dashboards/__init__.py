"""Grafana dashboards as code: ``python -m monitoring.dashboards`` writes the JSON files that Grafana loads.

Each dashboard is a module or package with a function ``build``, listed in ``catalogue``. All dashboards share the other
modules.
"""
