# One image for every process: the APIs, the projector, the worker and the commands differ in what they are told to run.

# The Python that the tests run with.
FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /srv/kirana

# The lock also holds what tests need. As constraints it gives what the runtime asks for its version, and adds nothing.
COPY pyproject.toml requirements.lock ./
RUN python -m venv /opt/venv \
    && python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > /tmp/runtime.txt \
    && /opt/venv/bin/pip install --constraint requirements.lock --requirement /tmp/runtime.txt

# Procedures and migrations are read from files, so the code stays where it is and is installed as editable.
COPY LICENSE ./
COPY app app
COPY command_api command_api
COPY query_api query_api
COPY projections projections
COPY migrations migrations
COPY procedures procedures
RUN PIP_CONSTRAINT=/srv/kirana/requirements.lock /opt/venv/bin/pip install --no-deps --editable . \
    && /opt/venv/bin/python -m compileall -q app command_api query_api projections migrations \
    && /opt/venv/bin/pip uninstall --yes pip setuptools


FROM python:3.11.14-slim-bookworm AS runtime
RUN groupadd --gid 10001 kirana \
    && useradd --uid 10001 --gid kirana --home-dir /srv/kirana --no-create-home --shell /usr/sbin/nologin kirana
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    KIRANA_ENVIRONMENT=production
WORKDIR /srv/kirana
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/kirana /srv/kirana
USER 10001:10001
EXPOSE 8000
# For the APIs; what has no port 8000 is started with a check of its own.
HEALTHCHECK --interval=10s --timeout=4s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", "--no-server-header", "--no-proxy-headers", "--timeout-graceful-shutdown", "20"]
