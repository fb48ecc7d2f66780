"""Training: from a CSV file of numbers to a verified model bundle.

It runs before the service, on a person's machine or in a scheduled job: it reads the data, fits and evaluates the
Isolation Forest, and makes example data for those who have none. The service imports nothing from here.
"""
