"""The process and the machine it runs on: Gunicorn worker, scheduler, CPU quota, process statistics, log format."""
