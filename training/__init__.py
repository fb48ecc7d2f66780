"""Training: from a CSV file of numbers to a verified model bundle.

Everything here runs before the service does, on a person's machine or in a scheduled job: reading the data,
fitting the Isolation Forest, measuring it, and making the example data for those who have none. The service
imports nothing of it.
"""
