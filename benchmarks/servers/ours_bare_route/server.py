"""One route that answers every request with the same JSON."""

from flask import Flask, Response

app = Flask(__name__)

ANSWER = b'{"is_inlier":1,"anomaly_score":-0.6429671336132159}'


@app.post("/prediction")
def predict() -> Response:
    """Return a constant without reading the row."""
    return Response(ANSWER, mimetype="application/json")
