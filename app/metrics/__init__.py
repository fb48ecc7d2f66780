"""All Prometheus metrics, and the folder through which several processes share them."""
