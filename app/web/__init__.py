"""How the service behaves on the web: answers, errors, request ids, log lines, documents and pages."""
