# The service's image: no compiler, no training code, no shell script; a numeric user without a home.
# Builds with the classic builder and with BuildKit.

FROM python:3.13-slim-trixie AS build
# Debian chooses the compiler's version; a pinned one would disappear from its archive within weeks.
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/service.txt requirements/parser.txt requirements/
# Into a separate folder, which the second stage copies without pip.
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --quiet --require-hashes --use-pep517 --requirement requirements/service.txt \
    # The parser in C is optional: an image without Python's headers cannot compile it.
    && (/venv/bin/pip install --no-cache-dir --quiet --require-hashes --use-pep517 --requirement requirements/parser.txt \
        || echo "gunicorn_h1c was not compiled: Gunicorn uses its slower Python parser.") \
    && /venv/bin/pip uninstall --quiet --yes pip \
    # Remove packages' tests, debug symbols, and flasgger's Swagger UI, which a current one replaces.
    && find /venv/lib -type d -name tests -prune -exec rm -r {} + \
    && rm -r /venv/lib/python3.*/site-packages/sqlalchemy/testing /venv/lib/python3.*/site-packages/alembic/testing \
    && find /venv/lib/python3.*/site-packages/sqlalchemy -name '*.so' -exec strip --strip-unneeded {} + \
    && rm -r /venv/lib/python3.*/site-packages/flasgger/ui2 /venv/lib/python3.*/site-packages/flasgger/ui3/static
COPY app app
# An empty volume inherits owner and mode of the folder it covers. Training writes models as user 1000, and so does the service if
# it belongs to that group, as with Compose. The service writes state and records. Record files get the group of their folder, so
# that group 1000, and thus training, can read them, and nobody else.
RUN install --directory --owner=1000 --group=1000 --mode=2775 /volumes/models \
    && install --directory --owner=65534 --group=65534 /volumes/state \
    && install --directory --owner=65534 --group=1000 --mode=2750 /volumes/records
RUN /venv/bin/python -m app.model.build_kernel && /venv/bin/python -m compileall -q app /venv/lib

FROM python:3.13-slim-trixie
COPY --from=build /venv /venv
COPY --from=build /volumes /
WORKDIR /service
COPY --from=build /build/app app
COPY gunicorn.conf.py ./
# A number, because Kubernetes cannot tell whether a user name is root; 65534 is nobody everywhere.
USER 65534:65534
# It writes only to /dev/shm and, if they are volumes, to state and records; models are a volume.
# Container logs are read by programs.
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BIND=0.0.0.0:8000 \
    MODEL_DIR=/models \
    STATE_DIR=/state \
    DATABASE_URL=sqlite:////records/records.db \
    LOG_FORMAT=json \
    OMP_NUM_THREADS=1
EXPOSE 8000
# Liveness only: with /readyz, an orchestrator would kill a service that is waiting for its first model.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["python", "-P", "app/server/health_check.py"]
CMD ["gunicorn", "app:create_app()"]
