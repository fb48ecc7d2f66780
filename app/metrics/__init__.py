"""Every Prometheus metric, declared once, and the multiprocess folder that the workers share."""
