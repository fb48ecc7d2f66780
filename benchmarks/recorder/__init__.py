"""What the process behind the workers costs requests, at work, stopped and gone."""
